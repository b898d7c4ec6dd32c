"""From each kind of camera, encoded access units with times: connects within its time-outs, numbers every access unit
before anybody decodes it, says when each picture was taken and how wrong that can be, and never shows credentials."""
