package bench

import "fmt"

// chat are short messages as children send them, Chinese and English mixed,
// nothing in them to find. The number makes each message one of its own.
var chat = [...]string{
	"放学一起打球吗 %d号场地",
	"did you finish page %d of the maths homework",
	"哈哈哈哈笑死我了 第%d次了",
	"ok see you at lunch, table %d",
	"老师说明天要带%d本书",
	"my cat slept %d hours today lol",
	"这关好难啊 我打了%d遍才过",
	"wanna play after school? im on level %d now",
	"我妈说周末可以去公园 走%d步",
	"that movie was sooo good i give it %d stars",
	"今天的 homework 好多 还有%d题没写",
	"happy birthday!! 祝你 %d 天都开心",
}

// message is the nth text.
func message(n int) string { return fmt.Sprintf(chat[n%len(chat)], n%9973+1) }
