"""Problems about parsing: what a line or a few lines of text say."""

import random

from nip.scenarios.code_validation.problems.inputs import random_word
from nip.scenarios.code_validation.problems.problem import Arguments, Problem


def _field(generator: random.Random) -> str:
    if generator.random() < 0.5:
        return random_word(generator, "ab ", 0, 3)
    return '"' + random_word(generator, 'ab;;"', 0, 4).replace('"', '""') + '"'


def _record(generator: random.Random, size: int) -> Arguments:
    return (";".join(_field(generator) for _ in range(generator.randint(1, 2 + size // 4))),)


RECORD_FIELDS = Problem(
    name="record_fields",
    topic="parsing",
    question='''\
A record is a line of fields separated by semicolons. A field that begins with a double quote ends
with one too; in between, semicolons belong to the field, and each double quote of the field is
written twice. Other fields contain neither semicolons nor double quotes. Write `solve(line)`, which
returns the list of the fields, as strings, without the quotes around them and with one quote in
place of two. Spaces are kept. Fields may be empty, so the empty line has one empty field. The line
is always valid and has at most 200 characters.

Example: solve('a;"b;c";"say ""hi"""') returns ["a", "b;c", 'say "hi"'].''',
    solutions=(
        """
def solve(line):
    fields = []
    field = ""
    quoted = False
    place = 0
    while place < len(line):
        character = line[place]
        if quoted and line[place:place + 2] == '""':
            field += '"'
            place += 1
        elif character == '"':
            quoted = not quoted
        elif character == ";" and not quoted:
            fields.append(field)
            field = ""
        else:
            field += character
        place += 1
    fields.append(field)
    return fields
""",
        """
import re

def solve(line):
    fields = []
    for match in re.finditer(r'(?:^|;)(?:"((?:[^"]|"")*)"|([^;"]*))', line):
        if match.group(1) is None:
            fields.append(match.group(2))
        else:
            fields.append(match.group(1).replace('""', '"'))
    return fields
""",
        """
def solve(line):
    fields = []
    open_parts = []
    for part in line.split(";"):
        open_parts.append(part)
        field = ";".join(open_parts)
        if field.count('"') % 2 == 0:
            if field[:1] == '"':
                field = field[1:-1].replace('""', '"')
            fields.append(field)
            open_parts = []
    return fields
""",
    ),
    make_input=_record,
    edge_cases=(
        ("",),
        (";",),
        ('""',),
        ('"";',),
        ('""""',),
        ('a;"b;c";"say ""hi"""',),
        ('";";";"',),
        ('" a ";b ',),
    ),
)


def _duration(generator: random.Random, size: int) -> Arguments:
    units = [unit for unit in "dhms" if generator.random() < 0.6]
    if generator.random() < 0.1:
        generator.shuffle(units)
    text = ""
    for unit in units:
        text += str(generator.choice((0, 1, 5, 30, 90, generator.randint(0, 50 * (1 + size)))))
        text += unit
    if text and generator.random() < 0.15:
        place = generator.randrange(len(text))
        middle = generator.choice(("", "x", "7", "m", " "))
        text = text[:place] + middle + text[place + generator.randint(0, 1) :]
    return (text,)


DURATION = Problem(
    name="duration_in_seconds",
    topic="parsing",
    question="""\
A duration is written like "1d12h", "90m" or "2h5m30s": one or several parts, each a whole number of
one to four digits and a unit right after it. The units are d (day), h (hour), m (minute) and s
(second); each appears at most once, and they come in this order. Write `solve(text)`, which returns
the duration in seconds, or -1 if the text, which has at most 40 characters, is anything else. The
empty text is no duration; numbers may be 0, have zeros in front, or be greater than usual for the
unit.

Example: solve("1h05m") returns 3900; solve("5m1h") returns -1; solve("10") returns -1.""",
    solutions=(
        """
import re

def solve(text):
    part = "(?:([0-9]{1,4})%s)?"
    match = re.fullmatch("".join(part % unit for unit in "dhms"), text)
    if text == "" or match is None:
        return -1
    days, hours, minutes, seconds = (int(number or 0) for number in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
""",
        """
def solve(text):
    seconds_of = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    total = 0
    number = ""
    smallest = 86401
    for character in text:
        if character in "0123456789":
            number += character
            if len(number) > 4:
                return -1
        elif character in seconds_of and number:
            length = seconds_of[character]
            if length >= smallest:
                return -1
            smallest = length
            total += int(number) * length
            number = ""
        else:
            return -1
    if number or smallest > 86400:
        return -1
    return total
""",
        """
def solve(text):
    if not text:
        return -1
    total = 0
    for unit, seconds in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if unit in text:
            number, _, text = text.partition(unit)
            if not number or len(number) > 4:
                return -1
            if any(digit not in "0123456789" for digit in number):
                return -1
            total += int(number) * seconds
    return -1 if text else total
""",
    ),
    make_input=_duration,
    edge_cases=(
        ("",),
        ("0s",),
        ("10",),
        ("h",),
        ("1h05m",),
        ("5m1h",),
        ("1d1d",),
        ("2h5m30s",),
        ("1d2h3m4s",),
        ("9999s",),
        ("12345s",),
        ("1h 5m",),
        ("-1h",),
    ),
)


def _release(generator: random.Random) -> str:
    numbers = [generator.choice((0, 0, 1, 2, 10)) for _ in range(generator.randint(0, 3))]
    numbers.insert(0, generator.choice((1, 1, 2)))
    suffix = f"-rc{generator.choice((1, 2, 10, 999))}" if generator.random() < 0.4 else ""
    return ".".join(map(str, numbers)) + suffix


def _releases(generator: random.Random, size: int) -> Arguments:
    return ([_release(generator) for _ in range(generator.randint(1, 1 + size // 3))],)


NEWEST_RELEASE = Problem(
    name="newest_release",
    topic="parsing",
    question="""\
A release is named by one to four whole numbers separated by dots, like "2", "1.10" or "1.0.3",
perhaps followed by "-rc" and a number of at least 1. Releases are compared by the first number in
which they differ, where missing numbers count as 0, so "1" and "1.0" are the same. If all numbers
are the same, a release with "-rc" is older than one without, and of two with "-rc" the one with the
smaller number behind it is older. Write `solve(names)`, which returns the position of the newest
release in the list, the first one if several are equally new. There are between 1 and 50 names;
numbers are below 1000 and have no superfluous zeros.

Example: solve(["1.9", "1.10-rc2", "1.10.0", "1.10"]) returns 2.""",
    solutions=(
        """
def solve(names):
    def age(name):
        numbers, _, candidate = name.partition("-rc")
        parts = [int(number) for number in numbers.split(".")]
        parts += [0] * (4 - len(parts))
        parts.append(int(candidate) if candidate else 1000)
        return parts

    ages = [age(name) for name in names]
    return ages.index(max(ages))
""",
        """
def solve(names):
    def is_newer(one, other):
        one_numbers, *one_candidate = one.split("-rc")
        other_numbers, *other_candidate = other.split("-rc")
        one_parts = one_numbers.split(".")
        other_parts = other_numbers.split(".")
        for place in range(4):
            left = int(one_parts[place]) if place < len(one_parts) else 0
            right = int(other_parts[place]) if place < len(other_parts) else 0
            if left != right:
                return left > right
        if not one_candidate:
            return bool(other_candidate)
        if not other_candidate:
            return False
        return int(one_candidate[0]) > int(other_candidate[0])

    newest = 0
    for position in range(1, len(names)):
        if is_newer(names[position], names[newest]):
            newest = position
    return newest
""",
        """
import re

def solve(names):
    best = None
    for position, name in enumerate(names):
        main = name.split("-")[0]
        value = 0
        for number in (main + ".0.0.0").split(".")[:4]:
            value = 1000 * value + int(number)
        match = re.search("-rc([0-9]+)$", name)
        value = 1000 * value + (int(match.group(1)) - 1 if match else 999)
        if best is None or value > best[0]:
            best = (value, position)
    return best[1]
""",
    ),
    make_input=_releases,
    edge_cases=(
        (["0"],),
        (["1", "1.0"],),
        (["1.0-rc1", "1"],),
        (["1.0", "1-rc9"],),
        (["2-rc2", "2-rc10", "2.0-rc10"],),
        (["1.9", "1.10-rc2", "1.10.0", "1.10"],),
        (["0.0.1", "0.1", "0.0.2"],),
        (["1.2.3", "1.2.3.1", "1.2.3.0"],),
        (["1-rc999", "1.0.0.1-rc1"],),
        (["1.0.0.999-rc999", "1.0.1", "1.0.0.999"],),
        (["3-rc998", "3-rc999", "3"],),
    ),
)


def _line(generator: random.Random) -> str:
    kind = generator.random()
    name = generator.choice(("a", "b", "long name"))
    if kind < 0.2:
        return generator.choice(("[one]", "[two]", " [ one ] ", "[]"))
    if kind < 0.3:
        return generator.choice(("# a = 1", "  #b=2", "", "   ", "a", "[one"))
    gap = generator.choice(("", " "))
    return gap + name + gap + "=" + gap + generator.choice(("1", "x=y", "", "#z", "[w]"))


def _settings(generator: random.Random, size: int) -> Arguments:
    return ("\n".join(_line(generator) for _ in range(generator.randint(0, 1 + size // 2))),)


SETTINGS_FILE = Problem(
    name="settings_file",
    topic="parsing",
    question="""\
Write `solve(text)`, which reads settings from the lines of a text, separated by "\\n". Spaces at
both ends of a line are ignored, and then: a line that begins with "#" is a comment and is ignored;
a line that begins with "[" and ends with "]" begins the section whose name is in between, without
spaces at its ends; any other line with "=" is a setting, whose name is all before the first "=" and
whose value is all behind it, both without spaces at their ends; all other lines are ignored. Return
a dictionary from names to values. The names of settings in a section have the section's name and a
dot in front; those before the first section stand alone. A section may begin several times, and of
equal names the last one counts. The text has at most 400 characters.

Example: solve("a = 1\\n[net]\\nhost = x=y") returns {"a": "1", "net.host": "x=y"}.""",
    solutions=(
        """
def solve(text):
    settings = {}
    prefix = ""
    for line in text.split("\\n"):
        line = line.strip()
        if line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]"):
            prefix = line[1:-1].strip() + "."
        elif "=" in line:
            name, value = line.split("=", 1)
            settings[prefix + name.strip()] = value.strip()
    return settings
""",
        """
import re

def solve(text):
    section = None
    found = {}
    for line in text.split("\\n"):
        line = line.strip(" ")
        heading = re.fullmatch("\\\\[(.*)\\\\]", line)
        setting = re.fullmatch("([^=]*)=(.*)", line)
        if line[:1] == "#":
            continue
        elif heading:
            section = heading.group(1).strip()
        elif setting:
            name, value = (part.strip() for part in setting.groups())
            found[name if section is None else section + "." + name] = value
    return found
""",
    ),
    make_input=_settings,
    edge_cases=(
        ("",),
        ("a",),
        ("a=",),
        ("=1",),
        ("#a=1\na = 2\na = 3",),
        (" # a = 1\n  [b]  \nc=2",),
        ("a = 1\n[net]\nhost = x=y",),
        ("[a]\nb=1\n[]\nb=2\n[a]\nb=3",),
        ("[x]y=1\n[z=]\nk=[v]",),
    ),
)

PROBLEMS = (RECORD_FIELDS, DURATION, NEWEST_RELEASE, SETTINGS_FILE)
