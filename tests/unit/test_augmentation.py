import numpy as np

from captioning.augmentation import View, can_flip, crop_box, views

PHOTO = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)


def test_a_whole_photo_is_itself_and_a_mirrored_one_turned_about_its_middle():
    np.testing.assert_array_equal(View().of(PHOTO, "a.jpg"), PHOTO)
    np.testing.assert_array_equal(View(flipped=True).of(PHOTO, "a.jpg"), PHOTO[:, ::-1])
    assert View().whole
    assert not View(flipped=True).whole
    assert not View(crop=1).whole


def test_a_crop_is_fixed_by_the_photos_name_and_its_number():
    first = View(crop=1).of(PHOTO, "a.jpg")
    assert first.shape == PHOTO.shape
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, View(crop=1).of(PHOTO, "a.jpg"))
    for other in (View(crop=2).of(PHOTO, "a.jpg"), View(crop=1).of(PHOTO, "b.jpg")):
        assert (first != other).any()


def test_a_crop_shows_a_part_enlarged():
    # Brightness is the place: what is left of it says which part of the photo is seen.
    slope = np.broadcast_to(np.arange(64, dtype=np.uint8)[None, :, None] * 4, (64, 64, 3))
    for number in range(1, 20):
        row = View(crop=number).of(np.ascontiguousarray(slope), "a.jpg")[0, :, 0].astype(int)
        assert (np.diff(row) >= 0).all()
        assert 0.6 * 252 < row[-1] - row[0] <= 252


def test_all_views_are_counted_and_have_their_own_names():
    assert views(crops=0, flips=False) == [View()]
    shown = views(crops=2, flips=True)
    assert shown[:3] == [View(), View(1), View(2)]
    assert [view.crop for view in shown[3:]] == [0, 1, 2]
    assert all(view.flipped for view in shown[3:])
    assert len({view.suffix for view in shown}) == 6
    assert shown[0].suffix == ""


def test_captions_that_name_a_side_forbid_the_mirror():
    assert can_flip([["A dog ."], ["A cat .", "On the LEFT sits a cat ."]]).tolist() == [
        True,
        False,
    ]


def test_a_box_that_fits_nowhere_is_the_whole_photo():
    assert crop_box((1, 9), np.random.default_rng(0), 1.0) == (0, 0, 1, 9)
