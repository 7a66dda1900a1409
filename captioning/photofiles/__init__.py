"""Metadata of photo files, changed without touching the picture: JPEG, PNG, EXIF and XMP."""
