"""Sizes of the networks and the measurements."""

from dataclasses import dataclass

from captioning.config import EncoderConfig

__all__ = ["FULL", "QUICK", "Sizes"]


@dataclass(frozen=True)
class Sizes:
    """The sizes that `--quick` reduces.

    Attributes:
        encoder: reads the photos.
        vocabulary: words, the four special marks included; 3,490 is Flickr8k's, seen three times
            or more in training captions.
        units: of the attention decoder's LSTM.
        merge_units: of the merge model's LSTM and dense layers, as tutorials have it.
        embedding: numbers that stand for a word.
        pooled: numbers in a pooled feature; Xception gives 2,048.
        max_length: longest caption that search may write, its end mark included.
        usual_length: steps that a usual caption takes, its end mark included.
        padded_length: what tutorials pad every row to: Flickr8k's longest cleaned caption.
        phone_photo: width and height of a photo as a phone takes it.
        caption_rounds: rounds of photo to caption.
        loop_rounds: rounds of the decoding loops.
        loop_repeats: captions our loop writes in a round; it is too quick to be timed once.
        epoch_rounds: rounds of training.
        epoch_photos: photos, with five captions each, that ours learns in a round.
        tutorial_photos: photos that the tutorial learns in a round.
        large_step: photos in a step of the tutorial's variant with larger steps.
        extraction_rounds: rounds of extraction.
        extraction_batches: batches of photos extracted in a round.
    """

    encoder: EncoderConfig = EncoderConfig(name="xception", layer="block13", input_size=299)
    vocabulary: int = 3490
    units: int = 384
    merge_units: int = 256
    embedding: int = 256
    pooled: int = 2048
    max_length: int = 22
    usual_length: int = 12
    padded_length: int = 34
    phone_photo: tuple[int, int] = (4000, 3000)
    caption_rounds: int = 50
    loop_rounds: int = 5
    loop_repeats: int = 20
    epoch_rounds: int = 10
    epoch_photos: int = 240
    tutorial_photos: int = 24
    large_step: int = 8
    extraction_rounds: int = 8
    extraction_batches: int = 3


FULL = Sizes()

QUICK = Sizes(
    encoder=EncoderConfig(name="compact", layer="map", input_size=64, width=8),
    vocabulary=200,
    units=32,
    merge_units=32,
    embedding=32,
    pooled=64,
    max_length=8,
    usual_length=4,
    padded_length=16,
    phone_photo=(800, 600),
    caption_rounds=2,
    loop_rounds=1,
    loop_repeats=2,
    epoch_rounds=1,
    epoch_photos=24,
    tutorial_photos=4,
    large_step=2,
    extraction_rounds=1,
    extraction_batches=2,
)
