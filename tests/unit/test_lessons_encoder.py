"""The encoder lesson: every number computed by hand is the one Keras gives."""

import keras
import numpy as np
import pytest

from captioning.config import EncoderConfig
from captioning.encoders import load_encoder
from captioning.errors import ConfigError
from captioning.lessons.convolution import (
    convolve_at,
    find_pair,
    multiplications,
    padding_before,
    two_steps,
)
from captioning.lessons.encoder import (
    OpenedEncoder,
    Peaks,
    inputs_of,
    strongest_channels,
    strongest_photos,
)
from captioning.lessons.receptive_field import field_of, fields

SIZES = {"compact": 64, "xception": 107, "vgg16": 64, "efficientnetv2b0": 96}


@pytest.fixture(scope="module", params=SIZES)
def opened(request):
    keras.utils.set_random_seed(3)
    config = EncoderConfig(name=request.param, input_size=SIZES[request.param], width=8)
    return OpenedEncoder(load_encoder(config, random_weights=True))


@pytest.fixture(scope="module")
def pixels(opened):
    size = opened.encoder.config.input_size
    return np.random.default_rng(0).integers(0, 256, (size, size, 3)).astype(np.uint8)


def first_layers(opened, pixels):
    layer = opened.first_convolution
    before = inputs_of(layer, opened.layers)[0].name
    outputs = opened.outputs(pixels, [before, layer.name])
    return layer, outputs[before], outputs[layer.name]


@pytest.mark.slow
def test_an_opened_encoder_ends_where_the_encoder_does(opened, pixels):
    last = opened.maps[-1]
    features = opened.encoder.encode(pixels[None])[0]
    values = opened.outputs(pixels, [last.name])[last.name]
    np.testing.assert_allclose(values.reshape(features.shape), features, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_later_photos_are_read_by_a_compiled_function_with_the_same_result(opened, pixels):
    names = [spec.name for spec in opened.maps[-2:]]
    first, later = opened.outputs(pixels, names), opened.outputs(pixels, names)
    for name in names:
        np.testing.assert_allclose(later[name], first[name], rtol=1e-4, atol=1e-4)
    other = opened.outputs(255 - pixels, names)
    assert not np.allclose(other[names[-1]], later[names[-1]], atol=1e-4)


def test_maps_get_smaller_and_are_no_gates(opened):
    heights = [spec.height for spec in opened.maps]
    assert heights == sorted(heights, reverse=True) and len(set(heights)) == len(heights) >= 3
    assert heights[-1] > 1


def test_scaled_pixels_are_what_the_papers_scale_them_to(opened, pixels):
    scaled = opened.scaled(pixels)
    assert scaled.shape == pixels.shape
    name = opened.encoder.config.name
    if name in ("compact", "xception"):
        np.testing.assert_allclose(scaled, pixels / 127.5 - 1, atol=1e-5)
    if name == "vgg16":  # the colours' order turned round, and the mean of ImageNet taken off
        expected = pixels[..., ::-1] - np.array([103.939, 116.779, 123.68])
        np.testing.assert_allclose(scaled, expected, atol=1e-4)


@pytest.mark.parametrize("corner", [(0, 0), (0, -1), (-1, 0), (-1, -1), (9, 11)])
def test_a_convolution_by_hand_equals_keras(opened, pixels, corner):
    layer, before, given = first_layers(opened, pixels)
    row, column = (n % size for n, size in zip(corner, given.shape, strict=False))
    for kernel in (0, 3, given.shape[2] - 1):
        product = convolve_at(layer, before, row, column, kernel)
        scale = max(1.0, float(np.abs(product.products).max()))
        assert abs(product.value - given[row, column, kernel]) < 1e-5 * scale
        np.testing.assert_allclose(product.products, product.patch * product.kernel)
        assert product.total == pytest.approx(product.products.sum() + product.bias, abs=1e-9)


def test_a_bias_and_an_activation_count(opened, pixels):
    layer, before, given = first_layers(opened, pixels)
    if not layer.use_bias:
        pytest.skip("this encoder's first convolution has no bias")
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel, bias - 1e4])
    try:
        product = convolve_at(layer, before, 4, 4, 0)
        assert product.total < 0 and product.value == 0.0
        assert opened.outputs(pixels, [layer.name])[layer.name][4, 4, 0] == 0.0
    finally:
        layer.set_weights([kernel, bias])


def test_an_activation_that_cannot_be_computed_is_refused():
    layer = keras.layers.Conv2D(2, 3, activation="gelu")
    before = np.ones((5, 5, 3), np.float32)
    layer(before[None])
    with pytest.raises(ConfigError, match="gelu"):
        convolve_at(layer, before, 0, 0, 0)


def test_two_steps_by_hand_equal_keras(opened, pixels):
    pair = find_pair(opened)
    if opened.encoder.config.name == "vgg16":
        assert pair is None
        return
    outputs = opened.outputs(pixels, list(dict.fromkeys(pair.names)))
    for place in [(0, 0), (pair.height - 1, pair.width - 1), (2, 1)]:
        steps = two_steps(opened, outputs, pair, place, channel=1, kernel=2)
        assert steps.pointwise.total == pytest.approx(steps.keras, abs=1e-5)
        if steps.keras_depthwise is not None:
            assert steps.depthwise.value == pytest.approx(steps.keras_depthwise, abs=1e-5)
        assert steps.depthwise.products.shape == (pair.kernel, pair.kernel, 1)
        assert steps.pointwise.products.shape == (1, 1, outputs_channels(pair, outputs))


def outputs_channels(pair, outputs):
    return outputs[pair.given].shape[-1] if pair.given else pair.channels


def test_multiplications_are_those_that_a_loop_does():
    kernel, channels, filters, height, width = 3, 4, 5, 2, 3
    whole = depthwise = pointwise = 0
    for _ in range(height * width):
        whole += sum(1 for _ in np.ndindex(kernel, kernel, channels, filters))
        depthwise += sum(1 for _ in np.ndindex(kernel, kernel, channels))
        pointwise += sum(1 for _ in np.ndindex(channels, filters))
    cost = multiplications(kernel, channels, filters, height, width)
    assert (cost.whole, cost.depthwise, cost.pointwise) == (whole, depthwise, pointwise)
    # Howard et al. 2017, equation 5: the share that is left is 1/filters + 1/kernel².
    assert 1 / cost.saving == pytest.approx(1 / filters + 1 / kernel**2)


@pytest.mark.parametrize("size", [7, 8, 9, 16])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
def test_padding_puts_zeros_where_keras_puts_them(size, stride, kernel):
    layer = keras.layers.Conv2D(
        1, kernel, strides=stride, padding="same", use_bias=False, kernel_initializer="ones"
    )
    ramp = (10.0 ** np.arange(6))[np.arange(size) % 6][:, None, None] * np.ones((1, size, 1))
    given = np.asarray(layer(ramp[None].astype(np.float32)))[0]
    for place in (0, given.shape[0] - 1):
        assert convolve_at(layer, ramp, place, 0, 0).total == pytest.approx(
            float(given[place, 0, 0]), rel=1e-5
        )
    assert padding_before(layer, size, 0) == padding_before(layer, size, 1)


def changed(opened, name, place, before, after):
    """How much a place of a map changes when the photo does, and what it is in size."""
    one = opened.outputs(before, [name])[name][place]
    other = opened.outputs(after, [name])[name][place]
    return float(np.abs(one - other).max()), float(np.abs(one).max())


def narrow_maps(opened):
    """The maps whose middle does not see the whole photo."""
    size = opened.encoder.config.input_size
    for spec in opened.maps:
        place = (spec.height // 2, spec.width // 2)
        box = field_of(opened, spec.name).at(*place)
        if box.top > 0 and box.left > 0 and box.bottom < size - 1 and box.right < size - 1:
            yield spec, place, box


@pytest.mark.slow
def test_a_place_changes_with_pixels_inside_its_field_and_with_no_others(opened, pixels):
    tried = 0
    for spec, place, box in narrow_maps(opened):
        outside = 255 - pixels
        inner = (slice(box.top, box.bottom + 1), slice(box.left, box.right + 1))
        outside[inner] = pixels[inner]
        moved, size = changed(opened, spec.name, place, pixels, outside)
        assert moved <= 1e-5 * max(size, 1.0), spec.name
        for edge in (
            (box.top, inner[1]),
            (box.bottom, inner[1]),
            (inner[0], box.left),
            (inner[0], box.right),
        ):
            inside = pixels.copy()
            inside[edge] = 255 - inside[edge]
            moved, _ = changed(opened, spec.name, place, pixels, inside)
            assert moved > 0, (spec.name, edge)
        tried += 1
    assert tried >= 1


def test_a_mean_over_the_photo_makes_a_field_whole(opened):
    last = field_of(opened, opened.maps[-1].name)
    assert last.whole == (opened.encoder.config.name == "efficientnetv2b0")
    if last.whole:
        size = opened.encoder.config.input_size
        assert last.at(0, 0).pixels == size * size


def test_fields_grow_by_kernel_and_stride_as_on_paper():
    """The sizes that Dumoulin and Visin 2016, https://arxiv.org/abs/1603.07285, lead to."""
    config = EncoderConfig(name="vgg16", input_size=32)
    opened = OpenedEncoder(load_encoder(config, random_weights=True))
    sizes = {name: found.rows.size for name, found in fields(opened).items()}
    # Pairs and triples of 3x3 kernels, each block after a pooling of 2.
    assert sizes["block1_conv1"] == 3 and sizes["block2_conv2"] == 14
    assert sizes["block3_conv3"] == 40 and sizes["block4_conv3"] == 92


def test_an_unknown_layer_is_named():
    opened = OpenedEncoder(
        load_encoder(EncoderConfig(name="compact", input_size=32, width=4), random_weights=True)
    )
    with pytest.raises(ConfigError, match="nothing_like_it"):
        field_of(opened, "nothing_like_it")


def test_a_channel_that_differs_is_found_and_a_lone_corner_is_not():
    features = np.zeros((100, 3))
    features[:, 1] = np.linspace(0, 1, 100)
    features[0, 2] = 1000.0
    assert strongest_channels(features, top=1) == [1]
    assert strongest_channels(np.array([0.0, 5.0, 3.0]), top=2) == [1, 2]


def test_the_photos_that_excite_a_channel_come_strongest_first():
    peaks = Peaks(("a", "b", "c"), np.array([[1.0, 9.0], [3.0, 8.0], [2.0, 7.0]]))
    assert strongest_photos(peaks, 0, top=2) == [("b", 3.0), ("c", 2.0)]


@pytest.mark.slow
def test_peaks_are_the_largest_values_of_photos(tiny_captioner, shapes):
    from captioning.images import read_image
    from captioning.lessons.encoder import peaks_of

    names = [photo.name for photo in shapes.photos[:10]]
    progress = []
    peaks = peaks_of(tiny_captioner, shapes, names, on_progress=lambda *n: progress.append(n))
    photos = [read_image(shapes.path(shapes[name])) for name in names]
    np.testing.assert_allclose(
        peaks.values, tiny_captioner.encode(photos).max(axis=1), rtol=1e-4, atol=1e-5
    )
    assert progress[-1] == (10, 10)
