"""What a data set, its captions and its scores show without a model.

Each module has one subject: `caption_index` and `search` find captions, and photos by a sentence;
`statistics` counts; `bleu` explains a score; `agreement`, `similarity` and `word_pairs` describe
the data set; `generated_captions` keeps what a model wrote about a split, and `disk_cache` other
results on disk.  Nothing here imports Keras.
"""
