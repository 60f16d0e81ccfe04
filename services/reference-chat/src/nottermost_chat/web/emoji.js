/** Emoji by short code. A table of our own: the common ones, with the names and the words people look for. */

/** Each entry: the emoji, its names (the first is shown), then words to find it by. */
const TABLE = {
  Smileys: `
😀 grinning happy|😃 smiley happy joy|😄 smile happy laugh|😁 grin|😆 laughing,satisfied haha|😅 sweat_smile relief|🤣 rofl floor laugh|😂 joy tears laugh lol
🙂 slightly_smiling_face,slight_smile|🙃 upside_down_face,upside_down irony|😉 wink|😊 blush happy shy|😇 innocent angel halo|🥰 smiling_face_with_three_hearts love|😍 heart_eyes love|🤩 star_struck,star-struck wow
😘 kissing_heart kiss|😗 kissing|☺️ relaxed|😚 kissing_closed_eyes|😙 kissing_smiling_eyes|🥲 smiling_face_with_tear touched|😋 yum tasty|😛 stuck_out_tongue|😜 stuck_out_tongue_winking_eye joke|🤪 zany_face crazy
😝 stuck_out_tongue_closed_eyes|🤑 money_mouth_face rich|🤗 hugs,hugging_face hug|🤭 hand_over_mouth,face_with_hand_over_mouth oops|🤫 shushing_face quiet|🤔 thinking,thinking_face hmm|🫡 saluting_face,salute yes|🤐 zipper_mouth_face secret
🤨 raised_eyebrow,face_with_raised_eyebrow doubt|😐 neutral_face meh|😑 expressionless|😶 no_mouth silent|🫥 dotted_line_face hidden|😏 smirk|😒 unamused|🙄 roll_eyes,face_with_rolling_eyes|😬 grimacing awkward|🤥 lying_face
😌 relieved calm|😔 pensive sad|😪 sleepy|🤤 drooling_face|😴 sleeping zzz tired|😷 mask sick|🤒 face_with_thermometer ill|🤕 face_with_head_bandage hurt|🤢 nauseated_face|🤮 vomiting_face|🤧 sneezing_face cold
🥵 hot_face heat|🥶 cold_face freezing|🥴 woozy_face|😵 dizzy_face|🤯 exploding_head mind blown|🤠 cowboy_hat_face|🥳 partying_face party birthday|🥸 disguised_face|😎 sunglasses cool|🤓 nerd_face geek|🧐 monocle_face,face_with_monocle
😕 confused|🫤 face_with_diagonal_mouth|😟 worried|🙁 slightly_frowning_face|☹️ frowning_face|😮 open_mouth surprise|😯 hushed|😲 astonished|😳 flushed|🥺 pleading_face please|🥹 face_holding_back_tears|😦 frowning
😧 anguished|😨 fearful|😰 cold_sweat|😥 disappointed_relieved|😢 cry sad tear|😭 sob cry|😱 scream horror|😖 confounded|😣 persevere|😞 disappointed|😓 sweat|😩 weary|😫 tired_face|🥱 yawning_face bored
😤 triumph|😡 rage,pout angry|😠 angry|🤬 cursing_face|😈 smiling_imp devil|👿 imp|💀 skull dead|💩 poop,hankey|🤡 clown_face|👻 ghost|👽 alien|🤖 robot,robot_face bot
😺 smiley_cat|😸 smile_cat|😹 joy_cat|😻 heart_eyes_cat|😼 smirk_cat|🙀 scream_cat|😿 crying_cat_face|🙈 see_no_evil monkey|🙉 hear_no_evil|🙊 speak_no_evil|🫠 melting_face|🫣 peeking,face_with_peeking_eye|🫢 face_with_open_eyes_and_hand_over_mouth`,
  People: `
👍 +1,thumbsup yes ok good approve|👎 -1,thumbsdown no bad|👏 clap,clapping applause bravo|🙌 raised_hands hooray|🙏 pray thanks please|🤝 handshake deal|👋 wave hello bye hi|✋ hand,raised_hand stop|🖐️ raised_hand_with_fingers_splayed|🤚 raised_back_of_hand
👌 ok_hand perfect|🤌 pinched_fingers|🤏 pinching_hand small|✌️ v peace victory|🤞 crossed_fingers luck|🫰 hand_with_index_finger_and_thumb_crossed|🤟 love_you_gesture|🤘 metal rock|🤙 call_me_hand|👈 point_left|👉 point_right|👆 point_up_2|👇 point_down
☝️ point_up one|🫵 point_at_you|✊ fist|👊 facepunch,punch|🤛 fist_left|🤜 fist_right|💪 muscle strong|✍️ writing_hand|💅 nail_care|🤳 selfie|🫶 heart_hands love|👀 eyes look see|👁️ eye|🧠 brain smart|👂 ear|👃 nose|👄 lips|🫀 anatomical_heart
🤷 shrug,person_shrugging dunno|🤦 facepalm,face_palm|🙋 raising_hand question|🙅 no_good|🙆 ok_person|💁 tipping_hand_person|🙇 bow sorry|🙍 frowning_person|🏃 runner,running|🚶 walking|💃 dancer|🕺 man_dancing|🧘 lotus_position calm|🛀 bath
👶 baby|🧒 child|👦 boy|👧 girl|🧑 adult,person|👨 man|👩 woman|🧓 older_adult|👴 older_man|👵 older_woman|👷 construction_worker|👮 police_officer,cop|🕵️ detective|🧑‍💻 technologist developer|🧑‍🔬 scientist|🧑‍🚀 astronaut|🧑‍🍳 cook|🧑‍🎓 student|🧑‍🏫 teacher
🦸 superhero|🦹 supervillain|🧙 mage wizard|🧛 vampire|🧟 zombie|🎅 santa|👼 angel|👪 family|👥 busts_in_silhouette team|👤 bust_in_silhouette|🗣️ speaking_head|🫂 people_hugging|👣 footprints`,
  Nature: `
🐶 dog|🐱 cat|🐭 mouse|🐹 hamster|🐰 rabbit|🦊 fox_face,fox|🐻 bear|🐼 panda_face|🐨 koala|🐯 tiger|🦁 lion|🐮 cow|🐷 pig|🐸 frog|🐵 monkey_face|🐔 chicken|🐧 penguin|🐦 bird|🐤 baby_chick|🦆 duck|🦅 eagle|🦉 owl|🦇 bat|🐺 wolf|🐴 horse
🦄 unicorn,unicorn_face|🐝 bee,honeybee|🐛 bug|🦋 butterfly|🐌 snail slow|🐞 beetle,ladybug|🐜 ant|🕷️ spider|🦂 scorpion|🐢 turtle slow|🐍 snake python|🦎 lizard|🐙 octopus|🦑 squid|🦐 shrimp|🦀 crab rust|🐡 blowfish|🐠 tropical_fish|🐟 fish|🐬 dolphin
🐳 whale docker|🦈 shark|🐊 crocodile|🐘 elephant|🦒 giraffe|🦘 kangaroo|🐪 camel|🦙 llama|🐑 sheep|🐐 goat|🦌 deer|🦦 otter|🦥 sloth|🦔 hedgehog|🐿️ chipmunk|🐾 feet,paw_prints|🐉 dragon|🦖 t-rex|🌵 cactus|🎄 christmas_tree|🌲 evergreen_tree
🌳 deciduous_tree|🌴 palm_tree|🌱 seedling|🌿 herb|🍀 four_leaf_clover luck|🍁 maple_leaf|🍂 fallen_leaf autumn|🌷 tulip|🌹 rose|🌻 sunflower|🌸 cherry_blossom|💐 bouquet flowers|🍄 mushroom|🌍 earth_africa world|🌎 earth_americas|🌏 earth_asia
🌙 crescent_moon night|⭐ star|🌟 star2|✨ sparkles new shiny|⚡ zap lightning fast|🔥 fire hot|💥 boom,collision|☀️ sunny sun|🌤️ partly_sunny|☁️ cloud|🌧️ rain_cloud|⛈️ thunder_cloud|❄️ snowflake cold|⛄ snowman|🌈 rainbow|💧 droplet|🌊 ocean,wave_water|☔ umbrella`,
  Food: `
🍏 green_apple|🍎 apple|🍐 pear|🍊 tangerine,orange|🍋 lemon|🍌 banana|🍉 watermelon|🍇 grapes|🍓 strawberry|🫐 blueberries|🍒 cherries|🍑 peach|🥭 mango|🍍 pineapple|🥥 coconut|🥝 kiwi_fruit|🍅 tomato|🥑 avocado|🥦 broccoli|🥕 carrot|🌽 corn|🌶️ hot_pepper
🥔 potato|🍞 bread|🥐 croissant|🥨 pretzel|🧀 cheese|🥚 egg|🍳 fried_egg,cooking|🥞 pancakes|🥓 bacon|🍔 hamburger|🍟 fries|🍕 pizza|🌭 hotdog|🥪 sandwich|🌮 taco|🌯 burrito|🥗 green_salad|🍝 spaghetti|🍜 ramen|🍣 sushi|🍱 bento|🍙 rice_ball|🍚 rice
🍦 icecream|🍩 doughnut|🍪 cookie|🎂 birthday,birthday_cake|🍰 cake|🧁 cupcake|🍫 chocolate_bar|🍿 popcorn|🍬 candy|🍯 honey_pot|☕ coffee|🍵 tea|🧃 beverage_box|🍺 beer|🍻 beers cheers|🥂 clinking_glasses,champagne_glass cheers|🍷 wine_glass|🍸 cocktail|🍹 tropical_drink|🍾 champagne`,
  Activity: `
🎉 tada party hooray congratulations|🎊 confetti_ball|🎈 balloon|🎁 gift present|🏆 trophy win|🥇 first_place_medal,1st_place_medal|🥈 second_place_medal|🥉 third_place_medal|🏅 medal,sports_medal|⚽ soccer|🏀 basketball|🏈 football|⚾ baseball|🎾 tennis|🏐 volleyball
🏓 ping_pong|🏸 badminton|🥊 boxing_glove|🎿 ski|⛳ golf|🏹 bow_and_arrow|🎣 fishing_pole_and_fish|🚴 bicyclist,biking|🏊 swimmer|🧗 climbing|🎯 dart,bullseye target|🎳 bowling|🎮 video_game|🎲 game_die|🧩 jigsaw,puzzle|♟️ chess_pawn|🎭 performing_arts
🎨 art palette|🎤 microphone|🎧 headphones|🎵 musical_note|🎶 notes|🎸 guitar|🎹 musical_keyboard|🥁 drum|🎺 trumpet|🎻 violin|🎬 clapper film|🎟️ tickets|🪄 magic_wand|🎃 jack_o_lantern halloween`,
  Travel: `
🚗 car,red_car|🚕 taxi|🚌 bus|🚑 ambulance|🚒 fire_engine|🚚 truck|🚜 tractor|🚲 bike|🛵 motor_scooter|🏍️ motorcycle|🚆 train|🚄 bullettrain_side fast|🚇 metro|✈️ airplane flight|🛫 flight_departure|🛬 flight_arrival|🚀 rocket launch ship fast|🛸 flying_saucer|🚁 helicopter
⛵ boat,sailboat|🚢 ship|⚓ anchor|🚧 construction wip|🚦 vertical_traffic_light|🛑 stop_sign,octagonal_sign|🗺️ world_map|🗽 statue_of_liberty|🏰 european_castle|🏔️ mountain_snow|🏖️ beach_umbrella holiday|🏝️ desert_island|🏕️ camping|🏠 house home|🏡 house_with_garden
🏢 office|🏥 hospital|🏦 bank|🏫 school|🏭 factory|⛪ church|🕌 mosque|🌅 sunrise|🌃 night_with_stars|🌉 bridge_at_night|🎡 ferris_wheel|🧳 luggage`,
  Objects: `
💡 bulb idea|🔦 flashlight|💻 computer,laptop|🖥️ desktop_computer|⌨️ keyboard|🖱️ computer_mouse|🖨️ printer|📱 iphone,phone mobile|☎️ telephone|🔋 battery|🔌 electric_plug|💾 floppy_disk save|💿 cd|📷 camera|🎥 movie_camera|📺 tv|📻 radio|⏰ alarm_clock|⏱️ stopwatch
⌛ hourglass|⏳ hourglass_flowing_sand wait|⌚ watch|📡 satellite|🔑 key|🔒 lock secure|🔓 unlock|🔨 hammer|🪓 axe|🔧 wrench fix|🪛 screwdriver|⚙️ gear settings|🧰 toolbox|🧲 magnet|🪜 ladder|⚗️ alembic|🧪 test_tube test|🔬 microscope|🔭 telescope|💊 pill|💉 syringe|🩹 adhesive_bandage fix
🚪 door|🛏️ bed|🛋️ couch_and_lamp|🚽 toilet|🚿 shower|🧹 broom clean|🧻 roll_of_paper|🧼 soap|🛒 shopping_cart,shopping_trolley|💰 moneybag|💵 dollar|💳 credit_card|💎 gem|⚖️ balance_scale,scales|📧 email,e-mail mail|✉️ envelope|📨 incoming_envelope|📦 package box ship|📮 postbox
📝 memo,pencil note write|✏️ pencil2|🖊️ pen|📁 file_folder|📂 open_file_folder|📅 date calendar|📆 calendar|📈 chart_with_upwards_trend up|📉 chart_with_downwards_trend down|📊 bar_chart|📋 clipboard|📌 pushpin|📍 round_pushpin|📎 paperclip|🔗 link|📏 straight_ruler|✂️ scissors
📖 book,open_book|📚 books|📰 newspaper|🔖 bookmark|🏷️ label|🔍 mag search|🔎 mag_right|🗑️ wastebasket,trash|🗄️ file_cabinet|📢 loudspeaker announcement|📣 mega|🔔 bell|🔕 no_bell|🛡️ shield|💣 bomb|🧯 fire_extinguisher|🪦 headstone|👓 eyeglasses|👕 shirt|👖 jeans|👗 dress|👟 athletic_shoe|🎩 tophat|👑 crown|🎓 mortar_board graduate|🎒 school_satchel|💼 briefcase work`,
  Symbols: `
❤️ heart love|🧡 orange_heart|💛 yellow_heart|💚 green_heart|💙 blue_heart|💜 purple_heart|🖤 black_heart|🤍 white_heart|🤎 brown_heart|💔 broken_heart|❣️ heavy_heart_exclamation|💕 two_hearts|💖 sparkling_heart|💗 heartpulse|💯 100 perfect|💢 anger|💬 speech_balloon|💭 thought_balloon|💤 zzz
✅ white_check_mark done yes|☑️ ballot_box_with_check|✔️ heavy_check_mark|❌ x no wrong|❎ negative_squared_cross_mark|➕ heavy_plus_sign|➖ heavy_minus_sign|❓ question|❔ grey_question|❗ exclamation,heavy_exclamation_mark|‼️ bangbang|⁉️ interrobang|⚠️ warning|🚫 no_entry_sign|⛔ no_entry|🔞 underage|♻️ recycle
🔴 red_circle|🟠 orange_circle|🟡 yellow_circle,large_yellow_circle|🟢 green_circle,large_green_circle|🔵 large_blue_circle,blue_circle|🟣 purple_circle|⚫ black_circle|⚪ white_circle|🟥 red_square|🟩 green_square|🟦 blue_square|🔺 small_red_triangle|🔻 small_red_triangle_down|🔶 large_orange_diamond
⬆️ arrow_up|⬇️ arrow_down|⬅️ arrow_left|➡️ arrow_right|↗️ arrow_upper_right|↩️ leftwards_arrow_with_hook|🔄 arrows_counterclockwise refresh|🔁 repeat|🔀 twisted_rightwards_arrows|▶️ arrow_forward play|⏸️ pause_button|⏩ fast_forward|🆕 new|🆗 ok|🆒 cool|🆓 free|🔝 top|🔜 soon|ℹ️ information_source info|🅰️ a|🅱️ b
0️⃣ zero|1️⃣ one|2️⃣ two|3️⃣ three|4️⃣ four|5️⃣ five|6️⃣ six|7️⃣ seven|8️⃣ eight|9️⃣ nine|🔟 keycap_ten|#️⃣ hash|©️ copyright|®️ registered|™️ tm|♾️ infinity|🏁 checkered_flag finish|🚩 triangular_flag_on_post|🏳️ white_flag|🏴 black_flag|🏳️‍🌈 rainbow_flag pride|🏴‍☠️ pirate_flag`,
};

const TONES = ["", "🏻", "🏼", "🏽", "🏾", "🏿"];
const TONE_CODE = /^(.+?)(?:::|_)skin-tone-([2-6])$/;
const TONED = new Set([..."👍👎👏🙌🙏👋✋🤚👌🤌🤏✌🤞🤟🤘🤙👈👉👆👇☝🫵✊👊🤛🤜💪✍💅🤳🫶🤷🤦🙋🙅🙆💁🙇🏃🚶💃🕺🧘"]);
const RECENT = "nottermost.emoji";
const RECENT_MAX = 24;

/** All of them: {emoji, names, words, group}. */
export const EMOJI = Object.entries(TABLE).flatMap(([group, text]) =>
  text
    .trim()
    .split(/[|\n]/)
    .map((entry) => {
      const [emoji, names, ...words] = entry.split(" ");
      return { emoji, names: names.split(","), words, group };
    }),
);
const BY_NAME = new Map(EMOJI.flatMap((entry) => entry.names.map((name) => [name, entry])));
const NAME_OF = new Map(EMOJI.map((entry) => [bare(entry.emoji), entry.names[0]]));

/** Without the mark that asks for a coloured picture: with or without it is the same emoji. */
function bare(text) {
  return text.replaceAll("\ufe0f", "");
}

const toneable = (emoji) => TONED.has(bare(emoji));

/** The emoji for a short code without colons ("+1", "wave::skin-tone-3"), or null. */
export function emojiNamed(code) {
  const toned = TONE_CODE.exec(code);
  const entry = BY_NAME.get(toned ? toned[1] : code) ?? BY_NAME.get(code.toLowerCase());
  if (!entry) return null;
  return toned && toneable(entry.emoji) ? bare(entry.emoji) + TONES[Number(toned[2]) - 1] : entry.emoji;
}

/** What to show for a reaction: it may be an emoji itself, a short code, or a name that only its old home knew. */
export function reactionText(value) {
  const name = value.replace(/^:|:$/g, "");
  return emojiNamed(name) ?? (/^[\w+\-:]+$/.test(name) ? `:${name}:` : value);
}

/** A name to read out: "thumbsup" for 👍. */
export const emojiLabel = (value) => NAME_OF.get(bare(value).replace(/[🏻-🏿]/u, ""))?.replaceAll("_", " ") ?? value;

/** Those that match, best first: the name begins so, holds it, a word begins so. */
export function findEmoji(query, limit = 60) {
  const wanted = query.toLowerCase().trim();
  const rank = ({ names, words }) => {
    if (names.includes(wanted)) return 0;
    if (names.some((name) => name.startsWith(wanted))) return 1;
    if (words.some((word) => word.startsWith(wanted))) return 2;
    return names.some((name) => name.includes(wanted)) ? 3 : 9;
  };
  return EMOJI.map((entry) => [rank(entry), entry])
    .filter(([place]) => place < 9)
    .sort((a, b) => a[0] - b[0])
    .slice(0, limit)
    .map(([, entry]) => entry);
}

export const skinTone = () => Number(localStorage.getItem("nottermost.tone") ?? 0);
export const setSkinTone = (tone) => localStorage.setItem("nottermost.tone", String(tone));
export const withTone = (emoji, tone = skinTone()) => (tone && toneable(emoji) ? bare(emoji) + TONES[tone] : emoji);

const FIRST = ["👍", "❤️", "😂", "🎉", "👀", "🙏", "✅", "🚀"];

/** Those used here most recently; a useful set before anything was. */
export function recentEmoji() {
  const kept = JSON.parse(localStorage.getItem(RECENT) ?? "[]");
  return [...new Set([...kept, ...FIRST])].slice(0, RECENT_MAX);
}

export function noteEmoji(emoji) {
  localStorage.setItem(RECENT, JSON.stringify([...new Set([emoji, ...recentEmoji()])].slice(0, RECENT_MAX)));
}
