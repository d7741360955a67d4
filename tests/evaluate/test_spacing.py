"""A warning for languages that are written without spaces, and for no others."""

import pytest
from evaluation_helpers import metric

from headroom.evaluate.spacing import unspaced

CHINESE = ["我们今天去北京", "他昨天在家里看书。"]
JAPANESE, THAI = ["私は今日、東京へ行きます。", "カタカナ"], ["วันนี้เราจะไปกรุงเทพ และพรุ่งนี้เราจะกลับบ้านของเรา"]


@pytest.mark.parametrize(
    ("references", "asked", "words"),
    [
        (CHINESE, metric(), ["Chinese", "13a", "`tokenize: zh`"]),
        (CHINESE, metric(tokenize="intl"), ["Chinese", "intl"]),
        (["", "你好", "在 BBC News 工作"], metric(), ["Chinese"]),
        (JAPANESE, metric(), ["Japanese", "`tokenize: ja-mecab`"]),
        (JAPANESE, metric(tokenize="zh"), ["Japanese", "`tokenize: char`"]),
        (THAI, metric(), ["Thai", "`tokenize: char`"]),
        (["ຂ້ອຍຮັກເຈົ້າ"], metric(tokenize="zh"), ["Lao"]),
        (["ខ្ញុំស្រឡាញ់អ្នក"], metric(tokenize="none"), ["Khmer"]),
        (["ကျွန်တော်မြန်မာစကားပြောတတ်တယ်"], metric(), ["Burmese"]),
        (CHINESE, metric("chrf++"), ["chrf++", "chrf counts letters"]),
        ([], metric(), None),
    ],
)
def test_a_language_without_spaces_is_seen_by_its_script(references, asked, words):
    said = unspaced(references, asked)
    assert said is None if words is None else all(word in said for word in words), said


@pytest.mark.parametrize(
    ("references", "asked"),
    [
        (CHINESE, metric(tokenize="zh")),
        (CHINESE, metric(tokenize="char")),
        (CHINESE, metric("chrf")),
        (JAPANESE, metric(tokenize="ja-mecab")),
        (["我们 今天 去 北京", "他 昨天 在 家 看 书"], metric()),  # somebody has split it
        (["오늘 우리는 서울에 갑니다"], metric()),
        (["Добрый день", "नमस्ते दुनिया", "مرحبا بالعالم"], metric()),
        (["Tokyo (東京) is the capital of Japan and its largest city."], metric()),
        (["", "123 !?"], metric()),
    ],
)
def test_what_can_be_split_is_not_warned_of(references, asked):
    assert unspaced(references, asked) is None


@pytest.mark.parametrize(
    "code", ["zh", "zh_CN", "zho_Hans", "__zh__", ">>cmn_Hans<<", "ja_XX", "th", "lao_Laoo", "km", "my"]
)
def test_a_language_without_spaces_is_known_by_its_code(code):
    assert "without spaces" in unspaced([], metric(), code)
    assert unspaced([], metric(tokenize="char"), code) is None
    assert unspaced(["Wo men jin tian qu Bei jing"], metric(), code) is None  # in Latin letters


@pytest.mark.parametrize("code", ["en", "de_DE", "kor_Hang", "ms", "", None, "zulu"])
def test_other_codes_say_nothing(code):
    assert unspaced([], metric(), code) is None
