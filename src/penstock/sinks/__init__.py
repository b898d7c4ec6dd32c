"""Where events go, one file per kind, "off" included. A sink acknowledges by returning and delays only itself."""
