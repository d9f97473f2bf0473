"""The closed word lists of the pocket world, and the small facts that hold in it."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _pairs(text: str) -> dict[str, str]:
    """Read "key=value, key=value"; a value may hold spaces."""
    return dict(part.strip().split("=") for part in text.split(",") if part.strip())


NAMES = _words(
    "Mara Tom Nina Omar Lena Paul Rosa Ivan Ella Harry Anna Ben Clara David Emma Felix Gina Henry Iris Jack Kate Leo "
    "Mona Noah Olga Peter Rita Sam Tina Victor Wendy Zoe Adam Bella Carl Dora Eric Fiona George Hana Jonas Karl Lucy "
    "Max Nora Otto Ruth Simon Tara Vera Walter Yara Alan Cora Dina Hector Julia Oscar Sonia Theo"
)
PLACES = _words(
    "bakery library market school museum station harbour park garden farm hotel theatre hospital church bank zoo "
    "beach forest castle factory office kitchen stable bridge airport gym pool cinema shop mill clinic studio village "
    "tower square camp island port barn gallery stadium pharmacy garage workshop palace lodge cafe restaurant "
    "playground laundry"
)
EVENTS = _words(
    "party trip lesson picnic wedding concert meeting holiday fair dance race festival dinner breakfast lunch game "
    "match parade contest visit journey class quiz birthday reunion sale show club exam hike"
)
RELATIONS = _words(
    "sister brother mother father uncle aunt cousin friend neighbour teacher boss daughter son grandmother "
    "grandfather classmate nephew niece guest coach"
)
SUBJECTS = _words(
    "maths reading grammar history science art cooking sport spelling language writing nature travel health biology"
)

FRUITS = _words("apple pear plum grape peach lemon orange banana cherry melon")
VEGETABLES = _words("carrot onion potato cabbage pea bean leek turnip pumpkin radish")
ANIMALS = _words(
    "dog cat cow horse sheep pig goat duck hen mouse rabbit fox wolf bear lion tiger elephant whale shark frog bee "
    "ant owl eagle snake camel monkey donkey seal crab"
)
PLANTS = _words("rose tulip oak pine fern grass moss lily daisy ivy cactus willow")
TOOLS = _words("hammer saw spoon knife brush rake broom needle scissors shovel axe ladder drill kettle rope")
CLOTHES = _words("hat coat shirt scarf glove sock dress jacket skirt boot belt tie")
VEHICLES = _words("car bus train boat bicycle plane truck tram ship taxi scooter tractor")
FURNITURE = _words("chair table bed sofa desk shelf lamp stool bench wardrobe")
INSTRUMENTS = _words("piano drum violin flute guitar trumpet harp horn bell cello")
COLOURS = _words("red blue green yellow white black brown pink grey purple")
DRINKS = _words("water milk tea coffee juice soup cocoa lemonade")
METALS = _words("gold silver iron copper tin lead zinc steel")

CATEGORIES: dict[str, tuple[str, ...]] = {
    "fruit": FRUITS,
    "vegetable": VEGETABLES,
    "animal": ANIMALS,
    "plant": PLANTS,
    "tool": TOOLS,
    "vehicle": VEHICLES,
    "colour": COLOURS,
    "drink": DRINKS,
    "metal": METALS,
    "instrument": INSTRUMENTS,
}
CATEGORY_OF = {word: kind for kind, members in CATEGORIES.items() for word in members} | {
    word: kind for kind, members in (("garment", CLOTHES), ("furniture", FURNITURE)) for word in members
}
CATEGORY_PLURALS = {
    "fruit": "fruits",
    "vegetable": "vegetables",
    "animal": "animals",
    "plant": "plants",
    "tool": "tools",
    "vehicle": "vehicles",
    "colour": "colours",
    "drink": "drinks",
    "metal": "metals",
    "instrument": "instruments",
}
ITEMS = tuple(CATEGORY_OF)

PLURALS = _pairs(
    "apple=apples, pear=pears, plum=plums, peach=peaches, lemon=lemons, orange=oranges, banana=bananas, "
    "cherry=cherries, melon=melons, carrot=carrots, onion=onions, potato=potatoes, cabbage=cabbages, bean=beans, "
    "dog=dogs, cat=cats, cow=cows, horse=horses, sheep=sheep, pig=pigs, goat=goats, duck=ducks, hen=hens, mouse=mice, "
    "rabbit=rabbits, fox=foxes, wolf=wolves, bear=bears, lion=lions, frog=frogs, bee=bees, owl=owls, "
    "monkey=monkeys, donkey=donkeys, rose=roses, lily=lilies, daisy=daisies, knife=knives, brush=brushes, "
    "spoon=spoons, ladder=ladders, hat=hats, coat=coats, dress=dresses, shirt=shirts, scarf=scarves, box=boxes, "
    "car=cars, bus=buses, train=trains, boat=boats, chair=chairs, table=tables, shelf=shelves, lamp=lamps, "
    "bench=benches, piano=pianos, drum=drums, child=children, man=men, woman=women, foot=feet, tooth=teeth, "
    "goose=geese, leaf=leaves, loaf=loaves, baby=babies, city=cities, party=parties, glass=glasses, watch=watches, "
    "book=books, coin=coins, key=keys, egg=eggs, cup=cups, pencil=pencils, stamp=stamps, letter=letters, cake=cakes, "
    "ball=balls, button=buttons, candle=candles, ticket=tickets, basket=baskets, bottle=bottles, flower=flowers, "
    "stone=stones, shell=shells, kite=kites, doll=dolls, ring=rings, marble=marbles, biscuit=biscuits, plate=plates"
)
GOODS = _words(
    "apples pears plums peaches lemons oranges bananas cherries carrots onions potatoes beans spoons hats shirts "
    "scarves boxes chairs lamps books coins keys eggs cups pencils stamps letters cakes balls buttons candles tickets "
    "baskets bottles flowers stones shells kites dolls rings marbles biscuits plates glasses loaves"
)
OBJECTS = _words(
    "hammer saw spoon knife brush rake broom shovel ladder drill kettle hat coat shirt scarf dress jacket skirt belt "
    "lamp chair table stool bench drum violin flute guitar harp bell book coin key cup pencil stamp letter cake ball "
    "candle ticket basket bottle flower kite doll ring plate box watch"
)

OPPOSITES = _pairs(
    "hot=cold, big=small, fast=slow, tall=short, old=young, happy=sad, rich=poor, hard=soft, wet=dry, full=empty, "
    "light=heavy, clean=dirty, loud=quiet, strong=weak, early=late, open=closed, bright=dark, deep=shallow, "
    "wide=narrow, thick=thin, sweet=sour, brave=afraid, cheap=dear, near=far, high=low, smooth=rough, safe=dangerous, "
    "right=wrong, busy=idle, sharp=blunt, asleep=awake, kind=cruel, lost=found, first=last"
)
OPPOSITES |= {second: first for first, second in OPPOSITES.items()}

PAST = _pairs(
    "walk=walked, jump=jumped, cook=cooked, paint=painted, open=opened, close=closed, wash=washed, help=helped, "
    "play=played, call=called, look=looked, visit=visited, carry=carried, clean=cleaned, watch=watched, buy=bought, "
    "sell=sold, find=found, see=saw, make=made, take=took, give=gave, bring=brought, eat=ate, drink=drank, run=ran, "
    "sing=sang, swim=swam, write=wrote, read=read, break=broke, build=built, catch=caught, keep=kept, lose=lost, "
    "hide=hid, hold=held, sleep=slept, teach=taught, throw=threw, choose=chose, send=sent, wear=wore"
)
# Verbs that take an object, as "Nina <verb>s the lamp".
DEEDS: dict[str, tuple[str, str]] = {
    base: (third, PAST[base])
    for base, third in _pairs(
        "paint=paints, open=opens, wash=washes, carry=carries, clean=cleans, buy=buys, sell=sells, find=finds, "
        "see=sees, make=makes, take=takes, bring=brings, break=breaks, hide=hides, hold=holds, keep=keeps, lose=loses, "
        "choose=chooses, send=sends, watch=watches"
    ).items()
}

SOUNDS = _pairs(
    "dog=woof, cat=meow, cow=moo, horse=neigh, sheep=baa, pig=oink, goat=bleat, duck=quack, hen=cluck, mouse=squeak, "
    "wolf=howl, bear=growl, lion=roar, elephant=trumpet, frog=croak, bee=buzz, owl=hoot, eagle=screech, snake=hiss, "
    "monkey=chatter, donkey=bray, seal=bark"
)
HOMES = _pairs(
    "dog=kennel, horse=stable, pig=sty, hen=coop, rabbit=burrow, fox=den, wolf=den, bear=cave, whale=sea, shark=sea, "
    "frog=pond, bee=hive, ant=nest, owl=tree, eagle=nest, camel=desert, monkey=jungle, tiger=jungle, crab=beach, "
    "seal=coast, cow=barn, sheep=field, goat=hill, mouse=hole"
)
YOUNG = _pairs(
    "dog=puppy, cat=kitten, cow=calf, horse=foal, sheep=lamb, pig=piglet, goat=kid, duck=duckling, hen=chick, "
    "fox=cub, wolf=cub, bear=cub, lion=cub, tiger=cub, elephant=calf, whale=calf, frog=tadpole, owl=owlet, "
    "eagle=eaglet, seal=pup, rabbit=kit, shark=pup"
)
# From lightest to heaviest.
BY_WEIGHT = _words(
    "ant bee mouse frog crab duck owl hen rabbit cat fox monkey dog wolf goat sheep pig lion tiger donkey bear horse "
    "camel cow elephant whale"
)
USES = _pairs(
    "hammer=hitting nails, saw=cutting wood, spoon=eating soup, knife=cutting bread, brush=painting walls, "
    "rake=gathering leaves, broom=sweeping floors, needle=sewing clothes, scissors=cutting paper, "
    "shovel=digging holes, axe=chopping trees, ladder=climbing walls, drill=making holes, kettle=boiling water, "
    "rope=tying boats, bed=sleeping, chair=sitting, lamp=lighting rooms, key=opening doors, pencil=writing letters, "
    "candle=giving light, basket=carrying fruit, clock=telling time, umbrella=keeping dry, oven=baking bread, "
    "camera=taking photos, towel=drying hands, bicycle=riding, cup=drinking tea, net=catching fish"
)
TOOL_FOR = {use: tool for tool, use in USES.items()}
WORKPLACES = _pairs(
    "baker=bakery, teacher=school, nurse=hospital, farmer=farm, waiter=restaurant, librarian=library, actor=theatre, "
    "pilot=airport, judge=court, cook=kitchen, sailor=ship, miner=mine, gardener=garden, priest=church, "
    "banker=bank, keeper=zoo, miller=mill, painter=studio, mechanic=garage, chemist=pharmacy, clerk=office, "
    "ranger=forest, lifeguard=pool, guard=museum, porter=hotel, king=palace"
)
WORKER_AT = {place: job for job, place in WORKPLACES.items()}
JOBS = tuple(WORKPLACES)
TYPICAL_COLOURS = _pairs(
    "grass=green, snow=white, coal=black, blood=red, sky=blue, lemon=yellow, milk=white, banana=yellow, leaf=green, "
    "cherry=red, frog=green, tomato=red, sun=yellow, night=black, chocolate=brown, carrot=orange, elephant=grey, "
    "pig=pink, salt=white, bear=brown, plum=purple, crow=black, sea=blue, rice=white, ash=grey, pumpkin=orange"
)

# An invented continent: nothing here can be looked up elsewhere.
CAPITALS = _pairs(
    "Arland=Brix, Belmor=Tavo, Corvia=Luma, Dantria=Pesk, Elvenia=Morra, Fendal=Quist, Garonia=Zell, Hestia=Nolm, "
    "Ilmara=Dorva, Jutria=Keth, Kelmar=Sorin, Lorvane=Ambra, Mirdan=Falk, Norvia=Gress, Ostania=Vell, Pellia=Rhodo, "
    "Quenda=Hask, Rovania=Ilse, Selvia=Torm, Tundria=Bask"
)
COUNTRY_OF = {capital: country for country, capital in CAPITALS.items()}
CURRENCIES = _pairs(
    "Arland=mark, Belmor=crown, Corvia=shell, Dantria=pearl, Elvenia=leaf, Fendal=token, Garonia=bead, Hestia=florin, "
    "Ilmara=ducat, Jutria=penny, Kelmar=thaler, Lorvane=guilder, Mirdan=shilling, Norvia=talent, Ostania=groat, "
    "Pellia=dinar, Quenda=stone, Rovania=medal, Selvia=feather, Tundria=button"
)

DAYS = _words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
MONTHS = _words("January February March April May June July August September October November December")
SEASONS: dict[str, str] = {
    month: season
    for season, months in {
        "winter": "December January February",
        "spring": "March April May",
        "summer": "June July August",
        "autumn": "September October November",
    }.items()
    for month in months.split()
}
ORDINALS = _words("first second third fourth fifth sixth")
TRAITS = _words("tall kind brave clever quiet busy rich happy strong polite honest calm lucky funny tidy patient")
