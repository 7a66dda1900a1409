"""How much longer a caption takes than the encoder's forward pass alone."""

from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.material import PHOTO_SIZES, jpeg
from benchmarks.measuring import Comparison, Result, Work, measure
from benchmarks.networks import bare_forward, endless_captioner, name_of, random_encoder
from benchmarks.sizes import Sizes
from captioning.caption import Caption
from captioning.captioner import Captioner
from captioning.config import DecoderConfig
from captioning.encoders import Encoder
from captioning.images import read_image

__all__ = ["COMPARISON", "compare"]

COMPARISON = Comparison(
    key="caption_over_encoder",
    title="A photo's caption, beam 3, over the encoder alone",
    over="caption",
    under="encoder",
    unit="photo",
    at_most=1.6,
    notes=(
        "Random weights never end a sentence here, so the ratio is that of the longest caption "
        "there can be. A phone's photo takes longer because it must be decoded and made small."
    ),
)


def compare(sizes: Sizes) -> Result:
    """Time both, from a JPEG in memory to its sentence."""
    encoder = random_encoder(sizes)
    photo = jpeg(PHOTO_SIZES[0])
    phone = jpeg(sizes.phone_photo)
    with TemporaryDirectory() as folder:
        longest = _captioner(Path(folder), encoder, sizes, sizes.max_length)
        usual = _captioner(Path(folder), encoder, sizes, sizes.usual_length)
    weight = f"{len(photo) / 1e3:.0f} kB"
    wide, high = sizes.phone_photo
    works = {
        "phone_caption": Work(
            f"a JPEG of {wide} x {high} pixels to a caption of {sizes.usual_length} words",
            lambda: caption_of(usual, phone),
        ),
        "usual_caption": Work(
            f"a JPEG of {weight} to a caption of {sizes.usual_length} words",
            lambda: caption_of(usual, photo),
        ),
        "caption": Work(
            f"a JPEG of {weight} to a caption of {sizes.max_length} words, the most there can be",
            lambda: caption_of(longest, photo),
        ),
        "encoder": Work(
            f"{name_of(encoder)} alone, compiled, one photo",
            bare_forward(encoder, 1),
        ),
    }
    return measure(COMPARISON, works, rounds=sizes.caption_rounds)


def caption_of(captioner: Captioner, photo: bytes) -> Caption:
    """Do what the app does with an upload."""
    return captioner.caption(read_image(photo))


def _captioner(folder: Path, encoder: Encoder, sizes: Sizes, length: int) -> Captioner:
    config = DecoderConfig(
        kind="attention",
        units=sizes.units,
        embedding_size=sizes.embedding,
        max_length=length,
    )
    captioner = endless_captioner(
        folder / f"attention-{length}", config, encoder.feature_shape, sizes.vocabulary
    )
    # In place of ImageNet's weights, which need not be at hand.
    return Captioner(captioner.bundle, captioner.decoder, encoder)
