"""The words of the simulated platform: regions, languages, topics and the sentences they fill."""

from dataclasses import dataclass

LANGUAGES = ("en", "ru", "pt", "ja")


@dataclass(frozen=True, slots=True)
class Region:
    """A place: its share of the platform's volume, its language and its clock (hours from UTC)."""

    code: str
    language: str
    share: float
    utc_offset_h: float


REGIONS = (
    Region("US", "en", 0.26, -6.0),
    Region("GB", "en", 0.10, 0.0),
    Region("IN", "en", 0.13, 5.5),
    Region("PH", "en", 0.09, 8.0),
    Region("NG", "en", 0.06, 1.0),
    Region("BR", "pt", 0.12, -3.0),
    Region("PT", "pt", 0.03, 0.0),
    Region("RU", "ru", 0.09, 3.0),
    Region("KZ", "ru", 0.03, 5.0),
    Region("JP", "ja", 0.09, 9.0),
)

TOPICS: dict[str, dict[str, str]] = {
    "dance": {
        "en": "dance step move choreo partner floor spin studio routine shuffle groove crew stage",
        "ru": "танец шаг студия ритм партия сцена команда движение урок поворот",
        "pt": "dança passo palco ritmo turma estúdio giro coreografia festa grupo",
        "ja": "ダンス 振付 ステップ 練習 舞台 リズム 仲間 スタジオ 本番 新曲",
    },
    "food": {
        "en": "pasta bread soup dinner recipe noodles cake kitchen sauce rice breakfast chef oven",
        "ru": "борщ хлеб суп ужин рецепт пирог кухня соус завтрак сыр",
        "pt": "bolo pão sopa jantar receita feijoada cozinha molho arroz queijo",
        "ja": "料理 パン 弁当 夕飯 レシピ 寿司 台所 味噌汁 朝食 ケーキ",
    },
    "pets": {
        "en": "cat dog kitten puppy hamster parrot paw vet bowl rabbit leash tail nap",
        "ru": "кот собака котенок щенок хомяк попугай лапа кролик миска хвост",
        "pt": "gato cachorro gatinho filhote hamster papagaio pata coelho tigela rabo",
        "ja": "猫 犬 子猫 子犬 ハムスター 文鳥 肉球 うさぎ 散歩 しっぽ",
    },
    "football": {
        "en": "goal match keeper derby striker league penalty coach stadium fans pitch ball final",
        "ru": "гол матч вратарь дерби лига пенальти тренер стадион фанат финал",
        "pt": "gol jogo goleiro clássico liga pênalti técnico estádio torcida final",
        "ja": "ゴール 試合 守備 決勝 リーグ 監督 応援 球場 選手 得点",
    },
    "beauty": {
        "en": "makeup lipstick skincare nails brush mirror glow serum hair look palette lashes",
        "ru": "макияж помада уход маникюр кисть зеркало сияние крем волосы образ",
        "pt": "maquiagem batom pele unha pincel espelho brilho creme cabelo visual",
        "ja": "メイク 口紅 美容 ネイル 鏡 髪型 化粧水 眉毛 まつげ 香水",
    },
    "gaming": {
        "en": "boss level lobby stream headset quest loot console speedrun squad glitch map patch",
        "ru": "босс уровень стрим квест лут консоль отряд баг карта рейд",
        "pt": "chefe fase sala live fone missão console equipe bug mapa",
        "ja": "ボス 配信 攻略 装備 対戦 実況 新作 課金 周回 裏技",
    },
    "travel": {
        "en": "beach train mountain hostel passport sunset island airport ferry market road ticket",
        "ru": "пляж поезд гора отель паспорт закат остров аэропорт рынок дорога",
        "pt": "praia trem montanha hotel passaporte amanhecer ilha aeroporto mercado estrada",
        "ja": "海 電車 山 旅館 温泉 夕日 島 空港 市場 絶景",
    },
    "fitness": {
        "en": "squat workout gym plank run protein coach deadlift stretch mile rope yoga rest",
        "ru": "присед тренировка зал планка бег протеин тренер растяжка йога отдых",
        "pt": "agachamento treino academia prancha corrida proteína alongamento corda yoga",
        "ja": "筋トレ 運動 ジム 腹筋 ランニング 体重 柔軟 縄跳び ヨガ 休憩",
    },
    "comedy": {
        "en": "joke roommate boss neighbor mom teacher elevator prank office dad meeting waiter",
        "ru": "шутка сосед начальник мама учитель лифт розыгрыш офис папа официант",
        "pt": "piada vizinho chefe mãe professor elevador pegadinha escritório pai garçom",
        "ja": "冗談 隣人 上司 母 先生 爆笑 会社 父 会議 言い訳",
    },
    "study": {
        "en": "exam notes library homework essay lecture desk coffee deadline grade pencil quiz",
        "ru": "экзамен конспект библиотека домашка эссе лекция стол кофе дедлайн оценка",
        "pt": "prova caderno biblioteca tarefa redação aula mesa café prazo nota",
        "ja": "試験 勉強 図書館 宿題 作文 授業 机 合格 締切 成績",
    },
    "cars": {
        "en": "engine garage tires turbo drift exhaust wheel highway paint brake gearbox bumper",
        "ru": "двигатель гараж шины турбо дрифт выхлоп руль трасса тормоз дизель",
        "pt": "motor garagem pneu turbo drift escapamento volante rodovia freio diesel",
        "ja": "愛車 車庫 タイヤ ドリフト 排気音 洗車 高速 塗装 峠 旧車",
    },
    "music": {
        "en": "guitar chorus cover drum piano verse melody concert vinyl singer remix beat",
        "ru": "гитара припев кавер барабан пианино мелодия концерт певец ремикс бит",
        "pt": "violão refrão cover bateria piano melodia show cantora remix batida",
        "ja": "ギター 歌詞 ピアノ 太鼓 演奏 旋律 ライブ 歌手 作曲 弾き語り",
    },
}

ADJECTIVES: dict[str, str] = {
    "en": "tiny loud perfect weird cozy broken secret lazy golden messy famous honest cheap brave",
    "ru": "очень снова почти просто быстро тихо смешно красиво громко честно",
    "pt": "hoje muito quase sempre perfeito rápido bonito simples grande feliz",
    "ja": "最高の 小さな 静かな 秘密の 新しい 可愛い 本気の 懐かしい",
}

VERBS: dict[str, str] = {
    "en": "try fix find keep lose love miss make show need want hide share rate skip learn",
    "ru": "ищу люблю делаю вижу хочу жду учу знаю помню беру",
    "pt": "quero amo faço procuro perco mostro espero uso tento levo",
    "ja": "してみた 見つけた 紹介 始めた 失敗した 挑戦 作った 比較",
}

TEMPLATES: dict[str, tuple[str, ...]] = {
    "en": (
        "when the {noun} is so {adj} you {verb} it twice",
        "nobody told me to {verb} the {noun} before the {noun}",
        "pov you {verb} a {adj} {noun} with {name}",
        "my {adj} {noun} and a {noun} part {number}",
        "wait for the {noun}",
        "how to {verb} any {noun} in {number} minutes",
        "day {number} of my {noun} diary with {name} and the {adj} {noun}",
        "{name} and i {verb} the {adj} {noun} again",
        "this {noun} made my whole week",
        "things i {verb} about every {adj} {noun} at {name} place",
        "they said {verb} the {noun} so i did and then the {noun} happened",
        "{adj} {noun} check",
        "tell me why {name} would {verb} this {noun}",
        "rating every {noun} from {number} to {adj}",
    ),
    "ru": (
        "когда {noun} и {noun} в один день",
        "это {noun} часть {number}",
        "{adj} {verb} {noun} и {name} рядом",
        "день {number} я {adj} {verb} {noun}",
        "как тебе {noun} от {name}",
        "{name} опять {adj} а где {noun}",
        "мой план это {noun} {noun} и {noun}",
        "подписывайся если {adj} {verb} {noun}",
    ),
    "pt": (
        "quando {noun} e {noun} no mesmo dia",
        "eu {verb} {noun} com {name} {adj}",
        "dia {number} do meu {noun}",
        "parte {number} eu {adj} {verb} o {noun}",
        "ninguém me contou do {noun} e do {noun}",
        "marca {name} que {verb} {noun}",
        "como fazer {noun} em {number} minutos",
        "esse {noun} ficou {adj} demais",
    ),
    "ja": (
        "{adj} {noun} を {verb}",
        "{noun} と {noun} の 一日",
        "{name} さんの {noun} が {adj} {noun} だった",
        "{number} 日目の {noun}",
        "今日の {noun} は {noun} と {name}",
        "{adj} {noun} 見て",
    ),
}

RARE: dict[str, str] = {
    "en": "umbrella lantern marble velvet otter comet pickle harbor walnut saddle mitten "
    "ember turnip puddle copper thimble biscuit willow pebble canoe trumpet cactus "
    "kettle magnet feather zipper acorn cobweb drizzle falcon gondola hammock igloo "
    "jigsaw kiwi ladle muffin nectar oyster parsnip",
    "ru": "зонтик фонарь мрамор бархат выдра комета огурец гавань орех седло варежка уголек "
    "репа лужа медь наперсток печенье ива галька каноэ труба кактус чайник магнит "
    "перо желудь сокол гамак",
    "pt": "lanterna mármore veludo lontra cometa picles porto noz sela luva brasa nabo poça "
    "cobre dedal biscoito salgueiro seixo canoa trompete cacto chaleira ímã pena "
    "falcão rede gôndola ostra",
    "ja": "傘 提灯 大理石 彗星 港 胡桃 手袋 蛍 水たまり 銅 柳 小石 笛 仙人掌 磁石 羽 鷹 "
    "貝殻 灯台 風鈴",
}
"""Words of which planted tags and phrases are made; nobody uses them otherwise."""

GENERIC_TAGS = (
    "fyp foryou viral foryoupage trending reels explore video funny love instagood cute new share "
    "follow like duet music tiktok trend aesthetic mood vibes creator 2026"
)

TAG_ENDINGS: dict[str, tuple[str, ...]] = {
    "en": ("", "tok", "life", "lover", "daily", "time", "tips", "hacks", "gram", "addict"),
    "ru": ("", "дня", "лайф", "рф", "тут", "топ"),
    "pt": ("", "brasil", "dodia", "lovers", "top", "real"),
    "ja": ("", "好き", "動画", "部", "日記", "記録"),
}

TREND_ENDINGS: dict[str, tuple[str, ...]] = {
    "en": ("", "challenge", "check", "dance", "core"),
    "ru": ("", "челлендж", "тренд"),
    "pt": ("", "desafio", "trend"),
    "ja": ("", "チャレンジ", "ダンス"),
}

WEEKLY_TAGS: dict[str, int] = {
    "mondaymotivation": 0,
    "transformationtuesday": 1,
    "wednesdaywisdom": 2,
    "throwbackthursday": 3,
    "fridayfeeling": 4,
    "caturday": 5,
    "sundayreset": 6,
}

MONTHLY_TAGS: dict[str, int] = {
    "newmonthnewme": 1,
    "monthlyfavorites": 8,
    "midmonthcheck": 12,
    "photodump": 15,
    "bookofthemonth": 20,
    "payday": 25,
    "monthinreview": 28,
}
"""Tags that come back on a day of the month."""

ORIGINAL_SOUND = {
    "en": "original sound",
    "ru": "оригинальный звук",
    "pt": "som original",
    "ja": "オリジナル楽曲",
}

EMOJI = "😂 🔥 ❤️ ✨ 😭 🙏 💀 👀 🎶 😍"
