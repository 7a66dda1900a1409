"""What a data set, its captions and its scores show without a model.

Each module has one subject: `caption_index` and `search` find captions, and photos by a sentence;
`statistics` counts; `bleu` explains a score; `agreement`, `similarity` and `word_pairs` describe
the data set; `disk_cache` keeps results on disk, and what a model wrote.  Nothing here imports
Keras.
"""
