"""From detections to tracks: each tracker gives boxes of the same object the same id, in frame order per lane."""
