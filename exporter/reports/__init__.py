"""Reports as documents of several formats, which people print, attach and pipe."""
