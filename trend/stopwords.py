"""Words too frequent to begin or end a phrase, for the languages of most short videos.

Short lists of function words, not linguistics: articles, pronouns, prepositions, conjunctions,
auxiliaries. Words that carry meaning in another listed language (German "die", Turkish "ben") are
left out, because the language of a caption is often unknown and all lists apply to every text.
"""

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from trend.hashing import hash_slices

STOP_WORDS: Final = {
    "en": """a about after again all also am an and any are aren't as at be because been
        before being but by can can't could did didn't do does doesn't doing don't for from
        get gets getting got had has have having he he's her here hers him his how i i'd
        i'll i'm i've if in into is isn't it it's its just let let's me my of off on or our
        ours out over she she's so some such than that that's the their them then there
        there's these they they're this those to too under until up us very was wasn't we
        we're were what what's when where which while who who's whom why will with won't
        would you you'll you're you've your yours""",
    "ru": """а без бы был была были было быть в вам вас весь во вот все всё всего всех вы где
        да для до его ее её если есть еще ещё же за здесь и из или им их к как какая какой
        когда кто ли лишь меня мне мной мой моя мы на над нам нас наш не него нее неё нет ни
        них но ну о об он она они оно от очень по под после потому почему при про с сам свой
        себя со так такая такие такой там тебе тебя то того тоже той только том тот ты у уж
        уже хотя чего чем что чтобы чье эта эти это этого этой этом этот эту я""",
    "es": """al algo como con cuando de del donde e el él ella ellos en era eres es esa ese
        eso esta está estas este esto estos estoy fue ha han hasta la las le les lo los más
        me mi mis muy o para pero por porque pues qué que quien se ser si sí sobre soy su
        sus también te tengo ti tiene todo tu tú tus un una unas uno unos y ya yo""",
    "pt": """ao aos às até com da das de dela dele do dos é ela ele eles em entre era essa
        esse eu foi isso isto já lhe mais mas meu minha muito na não nas nem no nos nós num
        numa os ou para pela pelo por pra pro qual quando que quem são se sem ser seu sua
        também tem teu tua um uma você vocês""",
    "fr": """au aux avec c'est ce ces cette dans de des du elle elles en est et été eux il ils
        j'ai je la le les leur lui ma mais même mes moi mon ne nos notre nous on ou où par
        pas pour qu'il qu que qui sa se ses si sont sur ta te tes toi tu un une vos votre
        vous""",
    "de": """aber als am auch auf aus bei bin bis bist da dann das dass dein deine dem den der
        des dich dir doch du durch ein eine einem einen einer es für haben hat hatte ich ihm
        ihn ihr im ist ja kann man mehr mein meine mich mir mit nach nicht noch nur oder
        schon sehr sein seine sich sie sind über um und uns unser vom von vor wenn wer wie
        wir wird zu zum zur""",
    "id": """ada adalah agar aja akan aku apa atau banget bisa buat dan dari dengan di dia
        dong gak ga gue harus ini itu jadi jangan juga kalau kamu karena ke kita lagi lebih
        mau nya oleh pada saat saja sama saya sih sudah tapi tidak udah untuk yang""",
    "vi": """ạ ai anh bị bởi các cái cho chỉ chưa có của cùng cũng đã đang đây để đến đi đó
        được em gì hay hơn khi không là lại làm lên mà mình mỗi một này nên nếu nhé nha như
        nhưng những nó ở ra rất rồi sao sẽ tại thế thì tôi trên trong từ và vào vẫn về với
        vì""",
    "tr": """acaba ama bana bir biri birşey biz bu bunu çok da daha de değil diye en gibi hem
        hep her hiç için ile ise kadar ki kim mı mi mu mü ne neden o olan olarak oldu olur
        onu sana şey şu ve veya ya yok""",
    "zh": "的 了 是 在 我 你 他 她 们 們 这 這 那 就 也 都 和 吗 嗎 呢 吧 啊 很 把 被 与 與",
    "ja": "の を は が に で と も へ",
    "web": "amp gt http https lt nbsp quot rt via www",
}


@cache
def stop_table() -> npt.NDArray[np.uint64]:
    """All stop words by their hash with seed 0: uint64, an open-addressing set, read-only."""
    words = sorted({word for words in STOP_WORDS.values() for word in words.split()})
    encoded = [word.encode() for word in words]
    lengths = np.array([len(word) for word in encoded], np.int64)
    data = np.frombuffer(b"".join(encoded), np.uint8)
    hashes = hash_slices(data, np.cumsum(lengths) - lengths, lengths, np.uint64(0))
    table = np.zeros(1 << (4 * hashes.size).bit_length(), np.uint64)
    for word_hash in hashes.tolist():
        slot = word_hash & (table.size - 1)
        while table[slot] != 0:
            slot = (slot + 1) & (table.size - 1)
        table[slot] = word_hash
    table.setflags(write=False)
    return table


@njit(cache=True, forceinline=True)
def is_stop(table: npt.NDArray[np.uint64], word_hash: np.uint64) -> bool:
    """Whether a word, by its hash with seed 0, is in `stop_table`."""
    mask = np.int64(table.size - 1)
    slot = np.int64(word_hash & np.uint64(mask))
    while table[slot] != 0:
        if table[slot] == word_hash:
            return True
        slot = (slot + 1) & mask
    return False
