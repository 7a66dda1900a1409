"""What there is to see in a data set, its captions and its scores, without a model.

Each module has one subject: `caption_index`, `query` and `search` find captions, `ranking` finds
photos by a sentence, `statistics` counts, `journey` follows a caption into the decoder,
`bleu_drawing` and `bleu_examples` show a score, `agreement`, `spelling`, `likeness` and
`word_pairs` say what the data set is like, `written` keeps what a model wrote about a split.
Nothing here imports Keras.
"""
