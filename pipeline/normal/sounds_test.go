package normal

import (
	"testing"
)

func TestPinyinIsReadAsTheWordsThatItStandsFor(t *testing.T) {
	for text, want := range map[string]string{
		"wo jia zai xuexiao houmian":      "我家在学校后面",
		"zhao pian fa gei wo kan kan":     "照片发给我看看",
		"mingtian women chulai jianmian":  "明天我们出来见面",
		"放学以后dengwo":                      "放学以后等我",
		"你 zhu 在哪里":                       "你住在哪里",
		"wo  men  qu  nar  wan":           "我们去 nar wan", // nar is no syllable
		"can you come here, he is late":   "can you come here, he is late",
		"奶奶 made 粽子":                      "奶奶 made 粽子",
		"Jiawei is my friend":             "jiawei is my friend",
		"the sun ran in, we sang and ate": "the sun ran in, we sang and ate",
	} {
		if got := last(text); got != want {
			t.Errorf("%q reads %q, want %q", text, got, want)
		}
	}
}

func TestHomophonesAreReadAsTheWordsThatTheySoundLike(t *testing.T) {
	for text, want := range map[string]string{
		"他家住锦绣哗怨":        "他家住锦绣花园",
		"表哥说来接我 我妈已净说好了": "表哥说来接我 我妈已经说好了",
		"把你的照骗发给我":       "把你的照片发给我",
		"明天去动物园看大熊猫":     "明天去动物园看大熊猫",
		"老师让我们背古诗":       "老师让我们背古诗",
	} {
		if got := last(text); got != want {
			t.Errorf("%q reads %q, want %q", text, got, want)
		}
	}
}

func TestAGuessBySoundStandsWhereItsLettersStood(t *testing.T) {
	views := Readings("好呀 zhaopian 给你")
	v := views[len(views)-1]
	if v.Text != "好呀照片给你" {
		t.Fatalf("reads %q", v.Text)
	}
	if from, to := v.Original(2, 4); from != 3 || to != 11 {
		t.Errorf("照片 is at %d to %d, want 3 to 11", from, to)
	}
}

func TestATableThatIsCutShortIsAnError(t *testing.T) {
	for _, n := range []int{0, 10, len(bigramsPacked) / 2, len(bigramsPacked) - 9} {
		if _, err := readBigrams(bigramsPacked[:n]); err == nil {
			t.Errorf("%d bytes: no error", n)
		}
	}
}

func TestEverySyllableIsReadOrLeftAsItIs(t *testing.T) {
	for _, syllable := range tables().readings[1:] {
		for _, text := range []string{"我想死 " + syllable, syllable + syllable, "hei " + syllable + " ni hao", "你QQ " + syllable + "多少"} {
			for _, v := range Readings(text) {
				if v.Text == "" {
					t.Errorf("%q: the %s reading is empty", text, v.Name)
				}
			}
		}
	}
}
