"""Many photos: caption hundreds of photos, correct the table by hand, and download it."""

from pages.library.table import caption_photos, correct_rows, download
from pages.library.upload import bring_album
from pages.library.workspace import open_workspace
from pages.ui.captions import choose_settings, open_page
from pages.ui.components import show_source

models = open_page("many", "Many photos")
bundle, decoding = choose_settings("many", models)
workspace = open_workspace("many")
album = bring_album("many")
caption_photos("many", album, workspace, bundle, decoding)
rows = correct_rows("many", workspace, album)
if rows:
    download("many", rows)
    show_source("captioning.batch.captioning", "caption_album")
