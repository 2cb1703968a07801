"""Drives the page of plywood-serve in headless Chromium, by plain WebDriver.

    cargo build -p plywood-serve
    cargo run -p plywood-serve --example small_models -- /tmp/models
    python3 page.py --server target/debug/plywood-serve --models /tmp/models [--screenshots FOLDER]

Needs Chromium and its chromedriver, and of Python only the standard library. Each check runs at 1,280 pixels and at a
phone's width, on servers of its own with free ports. What the page shows is compared with what the server answers
when it is asked directly. The last line is "N passed, M failed"; the exit code is 1 if a check failed.

With --screenshots each state is saved at both widths, light and dark.
"""

import argparse
import base64
import json
import struct
import sys
import tempfile
import time
import traceback
import zlib
from pathlib import Path

from browser import ELEMENT, Page, Program, agrees, equal, http, luminance

HOSTILE = "<img src=x onerror=alert(1)>"  # In the fields and classes of names.plywood.
SERVED_AS = "<img src><b>names"  # The name of a model: without "=", which ends a name on the command line.
TOKEN = "open-sesame"


def png(width, height, pixel):
    """A PNG of colours; `pixel` gives the three bytes at x, y."""
    rows = b"".join(b"\0" + b"".join(bytes(pixel(x, y)) for x in range(width)) for y in range(height))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def hill(x, y):
    return (92, 138, 74) if y > 55 + (x - 60) ** 2 // 200 else (110 + y, 170 + y // 2, 225)


HILL = png(120, 90, hill)
GIF = base64.b64decode("R0lGODlhAQABAIAAAAUEBAAAACwAAAAAAQABAAACAkQBADs=")


# ---------------------------------------------------------------------------------------------------- the checks

CHECKS = []  # (function, what the browser may say of it in its log)


def check(refused=None):
    """Registers a check. Only if it provokes errors, the browser's log may have lines with these words."""
    return lambda function: CHECKS.append((function, refused)) or function


@check()
def the_models_are_listed(t, page):
    page.open(t.server)
    page.until("the models", "document.querySelector('#name').textContent")
    models = http("GET", t.server + "/v1/models")["models"]
    equal(page.js("return [...document.querySelector('#models').options].map((one) => one.text)"), t.names, "models")
    equal([model["name"] for model in models], t.names, "what the server lists")
    equal(page.text("#name"), "fashion", "the title")
    equal(page.text("#version"), f"version {models[0]['version']}", "the version")
    equal(page.text("#answer"), "The answer appears here.", "the answer")
    page.shot("fashion-empty")


@check()
def a_dropped_photo_is_answered(t, page):
    page.open(t.server, "fashion")
    page.drop(HILL, "hill.png", "image/png", ["dragenter", "dragover"])
    equal(page.count("#drop.over"), 1, "drop zones that are lit")
    page.shot("fashion-over")
    page.drop(HILL, "hill.png", "image/png", ["drop"])
    answer = agrees(page, t.server, "fashion", HILL, "image/png")
    assert any("resized from 90 x 120" in note for note in answer["notes"]), answer
    equal(len(answer["ranked"]), 5, "bars")
    page.until("the photo", "document.querySelector('#drop img').naturalWidth === 120")
    page.shot("fashion-photo")
    page.click(".image .remove")
    equal(page.text("#answer"), "The answer appears here.", "the answer without the photo")


@check()
def a_chosen_photo_is_answered_and_can_be_inverted(t, page):
    page.open(t.server, "fashion")
    path = t.folder / "hill.png"
    path.write_bytes(HILL)
    page.type("#file", str(path))
    agrees(page, t.server, "fashion", HILL, "image/png")
    page.mark()
    page.click(".image .invert")
    page.shown()
    inverted = png(120, 90, lambda x, y: (255 - byte for byte in hill(x, y)))
    agrees(page, t.server, "fashion", inverted, "image/png")
    page.shot("fashion-inverted")
    page.mark()
    page.click(".image .invert")
    agrees(page, t.server, "fashion", HILL, "image/png")


@check()
def a_garment_is_drawn(t, page):
    page.open(t.server, "fashion")
    equal(page.drawing()[1], 0, "light on an empty pad")
    page.stroke((-.4, -.8), (-.4, .8), (-.1, .8), (0, -.4), (.1, .8), (.4, .8), (.4, -.8), (-.4, -.8))
    page.shown()
    drawn, one = page.drawing()
    assert .1 < one < .7, f"{one} of the pad is light"
    answer = agrees(page, t.server, "fashion", drawn, "image/png")
    assert any("resized from 280 x 280" in note for note in answer["notes"]), answer
    page.mark()
    page.stroke((-.2, -.6), (.2, -.6), (.2, -.4), (-.2, -.3), (.2, -.2))
    page.shown()
    page.shot("fashion-drawn")
    drawn, two = page.drawing()
    assert two > one, "a second stroke adds light"
    agrees(page, t.server, "fashion", drawn, "image/png")
    page.mark()
    page.click(".image .undo")
    page.shown()
    equal(page.drawing()[1], one, "light after undo")
    page.click(".image .clear")
    equal(page.drawing()[1], 0, "light after clear")
    equal(page.text("#answer"), "The answer appears here.", "the answer without a drawing")


@check()
def a_drawing_takes_the_place_of_a_photo_and_the_other_way_round(t, page):
    page.open(t.server, "fashion")
    page.stroke((-.5, 0), (.5, 0))
    page.shown()
    page.mark()
    page.drop(HILL, "hill.png", "image/png")
    agrees(page, t.server, "fashion", HILL, "image/png")
    equal(page.drawing()[1], 0, "light on the pad beside a photo")
    page.click(".image .remove")
    page.stroke((0, -.5), (0, .5))
    page.shown()
    equal(page.js("return document.querySelector('#drop img').hidden"), True, "the photo is hidden")
    agrees(page, t.server, "fashion", page.drawing()[0], "image/png")


@check()
def other_kinds_of_pictures_and_large_photos_are_sent(t, page):
    page.open(t.server, "fashion")
    page.drop(GIF, "dot.gif", "image/gif")
    assert any("resized from 1 x 1" in note for note in page.shown()["notes"]), "a GIF"
    page.mark()
    # 2,000 x 1,800 pixels of noise: more bytes than the server takes.
    page.js("""const canvas = Object.assign(document.createElement("canvas"), { width: 2000, height: 1800 });
        const pen = canvas.getContext("2d"), noise = pen.createImageData(2000, 200);
        for (let i = 0, x = 1; i < noise.data.length; i++) noise.data[i] = (x = (x * 48271) % 2147483647) & 255;
        for (let y = 0; y < 1800; y += 200) pen.putImageData(noise, 0, y);
        window.large = null;
        canvas.toBlob((blob) => (window.large = new File([blob], "large.png", { type: "image/png" })));""")
    size = page.until("a large photo", "window.large?.size")
    assert size > 10_000_000, size
    page.js("""const dataTransfer = new DataTransfer();
        dataTransfer.items.add(window.large);
        document.querySelector("#drop").dispatchEvent(new DragEvent("drop", { dataTransfer, cancelable: true }));""")
    notes = page.shown()["notes"]
    assert any("resized from 1080 x 1200" in note for note in notes), notes


@check()
def a_text_is_typed(t, page):
    page.open(t.server, "texts")
    page.type(page.field("input"), "a slow game")
    page.click("#predict")
    agrees(page, t.server, "texts", {"text": "a slow game"})
    page.mark()
    page.type(page.field("input"), " of words\ue007")  # Enter sends.
    agrees(page, t.server, "texts", {"text": "a slow game of words"})
    page.mark()
    page.type(page.field("input"), "\ue008\ue007\ue008unknown")  # Shift and Enter begin a line.
    page.click("#predict")
    agrees(page, t.server, "texts", {"text": "a slow game of words\nunknown"})
    page.shot("texts-answer")


@check()
def a_row_is_filled_in(t, page):
    page.open(t.server, "table")
    page.shot("table-empty")
    page.type(page.field("age"), "30.5")
    page.pick(page.field("member"), "true")
    page.pick(page.field("port"), "C")
    page.js("document.querySelector('[data-field=since]').value = '2024-01-31'")  # Its keys depend on the language.
    page.click("#predict")
    row = {"age": 30.5, "member": True, "port": "C", "since": "2024-01-31"}
    equal(agrees(page, t.server, "table", {"row": row})["notes"], [], "notes on a whole row")
    page.mark()
    page.pick(page.field("member"), "missing")
    page.pick(page.field("port"), "missing")
    page.js("for (const name of ['age', 'since']) document.querySelector(`[data-field=${name}]`).value = ''")
    page.click("#predict")
    answer = agrees(page, t.server, "table", {"row": dict.fromkeys(row)})
    equal(len(answer["notes"]), 4, f"notes on what is missing: {answer['notes']}")
    page.shot("table-missing")


@check()
def several_inputs_and_outputs_are_sent_together(t, page):
    page.open(t.server, "product")
    page.drop(HILL, "hill.png", "image/png")
    page.type(page.field("weight"), "2.5")
    page.until("the photo", "document.querySelector('#drop img').naturalWidth === 120")
    page.click("#predict")
    row = {"photo": base64.b64encode(HILL).decode(), "weight": 2.5}
    agrees(page, t.server, "product", {"row": row})
    equal([part["titles"] for part in page.shown()["parts"]], [["tags"], ["price"]], "the outputs")
    page.shot("product-answer")


@check("Failed to load resource")
def a_missing_photo_is_an_error(t, page):
    page.open(t.server, "product")
    page.type(page.field("weight"), "2.5")
    page.click("#predict")
    page.failed("photo")
    page.shot("product-error")


@check()
def numbers_are_typed(t, page):
    pixels = [i / 784 for i in range(784)]
    for model, field, values in [("numbers", "input", [1.5, -2, 3e-1, 4]), ("raw", t.raw, pixels)]:
        page.open(t.server, model)
        text = ", ".join(map(repr, values))
        page.js("document.querySelector('textarea').value = arguments[0]", text)
        page.click("#predict")
        agrees(page, t.server, model, {"row": {field: values}})
        page.shot(f"{model}-answer")
    page.type("textarea", ", four")
    page.click("#predict")
    page.failed("“four”")


@check()
def models_are_switched(t, page):
    page.open(t.server, "texts")
    page.type(page.field("input"), "a game\ue007")
    page.shown()
    page.choose("numbers")
    equal(page.text("#answer"), "The answer appears here.", "the answer of another model")
    equal(page.js("return location.hash"), "#numbers", "the address")
    page.call("refresh")
    page.until("the same model", "document.querySelector('#name').textContent === 'numbers'")


@check()
def names_with_html_are_texts(t, page):
    page.open(t.server, SERVED_AS)
    equal(page.js("return document.title"), f"Plywood: {SERVED_AS}", "the tab")
    row = {HOSTILE: 1e6, "<i>town</i>": "<b>elsewhere</b>", "__proto__": "01.02.2003"}
    for name, value in row.items():
        page.type(page.field(name), f"{value:.0f}" if isinstance(value, float) else value)
    page.click("#predict")
    answer = agrees(page, t.server, SERVED_AS, {"row": row})
    assert answer["class"] in [HOSTILE, "<b>other</b>"] and answer["notes"], answer
    page.shot("names-answer")
    page.mark()
    page.js("for (const control of document.querySelectorAll('[data-field]')) control.value = ''")
    page.click("#predict")
    answer = agrees(page, t.server, SERVED_AS, {"row": dict.fromkeys(row)})
    assert answer["class"] is None and HOSTILE in "".join(answer["notes"]), answer
    equal(page.count("main img, main b, main i, header img, header b"), 0, "elements that names made")
    page.shot("names-none")


@check("Failed to load resource")
def a_broken_photo_is_an_error(t, page):
    page.open(t.server, "fashion")
    page.drop(HILL[:200], "broken.png", "image/png")
    page.failed(http("POST", t.server + "/v1/predict/fashion", HILL[:200], "image/png")["error"])
    page.shot("fashion-broken")
    page.drop(b"hello", "notes <b>.txt", "text/plain")
    page.failed("“notes <b>.txt” is not a picture")
    page.drop(HILL, "hill.png", "image/png")
    agrees(page, t.server, "fashion", HILL, "image/png")


@check("Failed to load resource")
def a_server_that_stops_can_be_asked_again(t, page):
    server = t.start("texts=texts.plywood")
    page.open(server.url)
    page.until("the model", "document.querySelector('#name').textContent === 'texts'")
    equal(page.js("return document.querySelector('#chooser').hidden"), True, "no list of a single model")
    server.stop()
    page.type(page.field("input"), "a game\ue007")
    page.failed("The server cannot be reached.")
    page.shot("texts-unreachable")
    server = t.start("texts=texts.plywood", port=server.port)
    page.click("#error button")
    agrees(page, server.url, "texts", {"text": "a game"})
    server.stop()


@check("Failed to load resource")
def a_token_is_asked_for(t, page):
    page.open(t.locked)
    page.until("the question", "!document.querySelector('#token').hidden")
    equal(page.text("#token-reason"), "This server asks for a token.", "the reason")
    equal(page.js("return document.activeElement.id"), "token-value", "what has the focus")
    page.shot("token")
    page.type("#token-value", "wrong\ue007")
    page.until("a refusal", "document.querySelector('#token-reason').innerText.includes('did not accept')")
    page.shot("token-wrong")
    page.type("#token-value", TOKEN + "\ue007")
    page.until("the model", "document.querySelector('#name').textContent && document.querySelector('#token').hidden")
    page.type(page.field("input"), "a game\ue007")
    agrees(page, t.server, "texts", {"text": "a game"})
    page.js("sessionStorage.setItem('token', 'changed')")
    page.click("#predict")
    page.until("the question", "!document.querySelector('#token').hidden")
    page.shot("token-later")
    page.type("#token-value", TOKEN + "\ue007")
    agrees(page, t.server, "texts", {"text": "a game"})


@check()
def keys_and_readers_reach_everything(t, page):
    for model in t.names:
        page.open(t.server, model)
        seen = "return [...document.querySelectorAll(arguments[0])].filter((control) => control.checkVisibility())"
        for control in page.js(seen, "input, select, textarea, button, canvas"):
            label = page.call(f"element/{control[ELEMENT]}/computedlabel", method="GET")
            assert label.strip(), f"{model}: {page.js('return arguments[0].outerHTML', control)} has no label"
    page.choose("table")
    page.js("document.querySelector('#models').focus()")
    order = []
    while order[-1:] != ["predict"] and len(order) < 20:  # A day, a month and a year are parts of one field.
        page.keys("\ue004")
        name, edge = page.js("""const { id, dataset } = document.activeElement;
            return [dataset.field ?? id, getComputedStyle(document.activeElement).outlineStyle];""")
        assert name in order or edge == "solid", f"{name!r} shows no focus after {order}"
        order.append(name)
    equal(list(dict.fromkeys(order)), ["age", "member", "port", "since", "predict"], "the order of Tab")


@check()
def texts_can_be_read_in_light_and_dark(t, page):
    page.open(t.server, "texts")
    page.type(page.field("input"), "a slow game\ue007")
    page.shown()
    grounds = []
    for dark in [False, True]:
        page.dark(dark)
        page.until("the scheme", "matchMedia('(prefers-color-scheme: dark)').matches === arguments[0]", dark)
        for css in ["h1", "#version", ".field label", "#predict", "textarea", ".headline", ".percent", "#time"]:
            ink, ground = page.js("""let ground = document.querySelector(arguments[0]);
                const ink = getComputedStyle(ground).color;
                while (getComputedStyle(ground).backgroundColor === "rgba(0, 0, 0, 0)") ground = ground.parentElement;
                return [ink, getComputedStyle(ground).backgroundColor].map((text) => text.match(/\\d+/g).map(Number));
            """, css)
            lights = sorted(map(luminance, [ink, ground]))
            contrast = (lights[1] + .05) / (lights[0] + .05)
            assert contrast >= 4.5, f"{css}: a contrast of {contrast:.2f}"
        grounds.append(luminance(ground))
    page.dark(False)
    assert grounds[0] > .8 and grounds[1] < .05, f"the light of the ground: {grounds}"


# ------------------------------------------------------------------------------------------------------- running


class Setting:
    """The servers that the checks share."""

    def __init__(self, options, folder):
        self.options, self.folder, self.started = options, folder, []
        self.names = ["fashion", "texts", "table", "numbers", "product", "raw", SERVED_AS]
        files = [*self.names[:-1], "names"]
        shared = self.start(*(f"{name}={file}.plywood" for name, file in zip(self.names, files)))
        (folder / "token").write_text(TOKEN + "\n")
        self.server = shared.url
        self.locked = self.start("texts=texts.plywood", "--token-file", folder / "token").url
        models = http("GET", self.server + "/v1/models")["models"]
        self.raw = models[5]["fields"][0]["name"]

    def start(self, *arguments, port=0):
        arguments = [str(word).replace("=", f"={self.options.models}/") if ".plywood" in str(word) else word
                     for word in arguments]
        command = [self.options.server, *arguments, "--port", port]
        self.started.append(Program(command, before="http://127.0.0.1:"))
        return self.started[-1]


def run(function, refused, setting, page):
    """Why a check failed, or nothing."""
    try:
        page.log("browser"), page.log("performance")  # What a check left that failed.
        function(setting, page)
        said = [one["message"] for one in page.log("browser") if not (refused and refused in one["message"])]
        equal(said, [], "the browser's log")
        events = [json.loads(one["message"])["message"] for one in page.log("performance")]
        sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
        asked = [one["request"]["url"] for one in sent]
        asked += page.js("return performance.getEntriesByType('resource').map((entry) => entry.name)")
        own = tuple(f"{program.url}/" for program in setting.started) + ("data:", "blob:http://127.0.0.1:", "about:")
        equal([url for url in asked if not url.startswith(own)], [], "requests to other servers")
        assert asked, "the log of requests is empty"
        return None
    except Exception as error:
        return error
    finally:
        page.dark(False)


def main():
    parser = argparse.ArgumentParser(description="Drives the page of plywood-serve in headless Chromium.")
    parser.add_argument("--server", type=Path, required=True, help="the program plywood-serve")
    parser.add_argument("--models", type=Path, required=True, help="the folder that the example small_models wrote")
    parser.add_argument("--screenshots", type=Path, help="a folder for pictures of each state")
    parser.add_argument("--only", default="", help="only checks whose name contains this")
    for program in ["chromium", "chromedriver"]:
        parser.add_argument(f"--{program}", default=f"/usr/bin/{program}")
    options = parser.parse_args()
    if options.screenshots:
        options.screenshots.mkdir(parents=True, exist_ok=True)
    passed, failed, start = 0, 0, time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        driver = Program([options.chromedriver, "--port=0"], before="successfully on port", after=".", TMPDIR=folder)
        setting = Setting(options, Path(folder))
        try:
            for width in [1280, 390]:
                page = Page(driver.url, options, width)
                for function, refused in CHECKS:
                    if options.only in function.__name__:
                        began = time.monotonic()
                        error = run(function, refused, setting, page)
                        passed, failed = passed + (error is None), failed + (error is not None)
                        name, seconds = function.__name__.replace("_", " "), time.monotonic() - began
                        print("FAIL" if error else "ok  ", f"{width:4} {seconds:4.1f} s", name, flush=True)
                        if error:
                            traceback.print_exception(error, file=sys.stdout)
                page.quit()
        finally:
            for program in [driver, *setting.started]:
                program.stop()
    print(f"{passed} passed, {failed} failed in {time.monotonic() - start:.0f} s")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
