"""A browser with the page of plywood-serve in it, by plain WebDriver; for page.py."""

import base64
import json
import os
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
PATIENCE = 30  # Seconds that a condition may take.
PLAIN = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def http(method, url, body=None, kind="application/json"):
    """What the server says: JSON, of an error, too."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": kind}, method=method)
    try:
        with PLAIN.open(request, timeout=120) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        return json.load(error)


def equal(got, expected, what):
    assert got == expected, f"{what}: expected {expected!r}, got {got!r}"


class Program:
    """A child process, whose first lines of output say where it listens."""

    def __init__(self, command, before, after="", **environment):
        self.child = subprocess.Popen(
            [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, **environment})
        for line in self.child.stdout:
            if before in line:
                self.port = int(line.split(before)[1].strip().removesuffix(after))
                self.url = f"http://127.0.0.1:{self.port}"
                return
        raise SystemExit(f"{command[0]} did not start")

    def stop(self):
        self.child.terminate()
        self.child.wait()
        self.child.stdout.close()


class Page:
    """A browser with the page."""

    def __init__(self, driver, options, width):
        self.phone, self.width, self.shots = width < 1000, width, options.screenshots
        chrome = {"binary": options.chromium, "args": [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server",
            "--disable-background-networking", "--no-first-run", "--window-size=1280,900"]}
        if self.phone:
            chrome["mobileEmulation"] = {"deviceMetrics": {"width": width, "height": 844, "pixelRatio": 2}}
        match = {"browserName": "chrome", "goog:chromeOptions": chrome,
                 "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        session = http("POST", driver + "/session", {"capabilities": {"alwaysMatch": match}})["value"]
        if "sessionId" not in session:
            raise SystemExit(f"Chromium did not start: {session.get('message')}")
        self.session = f"{driver}/session/{session['sessionId']}"
        if not self.phone:
            self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.dark(False)

    def call(self, path, body=None, method="POST"):
        value = http(method, f"{self.session}/{path}", None if method != "POST" else body or {})["value"]
        if isinstance(value, dict) and "stacktrace" in value:
            raise AssertionError(f"{path}: {value['error']}: {value['message'][:300]}")
        return value

    def cdp(self, command, **parameters):
        return self.call("goog/cdp/execute", {"cmd": command, "params": parameters})

    def js(self, script, *arguments):
        return self.call("execute/sync", {"script": script, "args": list(arguments)})

    def dark(self, yes):
        features = {"prefers-color-scheme": "dark" if yes else "light", "prefers-reduced-motion": "reduce"}
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": k, "value": v} for k, v in features.items()])

    def until(self, what, script, *arguments):
        """Waits until a JavaScript expression is true, and returns its value."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if value := self.js("return " + script, *arguments):
                return value
            time.sleep(.01)
        raise AssertionError(f"waited for {what}; the page says: {self.text('main')!r}")

    def open(self, url, model=None):
        """Opens the page anew and waits for its models."""
        self.call("url", {"url": "about:blank"})
        self.call("url", {"url": url + "/"})
        if model:
            self.until("the models", "document.querySelector('#name').textContent")
            self.choose(model)

    def find(self, css):
        return self.call("element", {"using": "css selector", "value": css})[ELEMENT]

    def click(self, css):
        self.call(f"element/{self.find(css)}/click")

    def type(self, css, text):
        self.call(f"element/{self.find(css)}/value", {"text": text})

    def text(self, css):
        return self.js("return document.querySelector(arguments[0])?.innerText ?? ''", css)

    def count(self, css):
        return self.js("return document.querySelectorAll(arguments[0]).length", css)

    def field(self, name):
        """The selector of a field."""
        return f"[data-field={json.dumps(name)}]"

    def pick(self, css, value):
        """Selects an option by its text, as a user does."""
        self.js("""const [list, text] = [document.querySelector(arguments[0]), arguments[1]];
            list.selectedIndex = [...list.options].findIndex((option) => option.text === text);
            list.dispatchEvent(new Event("change", { bubbles: true }));""", css, value)
        equal(self.js("return document.querySelector(arguments[0]).selectedOptions[0]?.text", css), value, css)

    def choose(self, model):
        self.pick("#models", model)
        equal(self.text("#name"), model, "the title")

    def keys(self, *keys):
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.call("actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def drop(self, data, name, kind, events=("dragenter", "dragover", "drop")):
        self.js("""const bytes = Uint8Array.from(atob(arguments[1]), (c) => c.charCodeAt(0));
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([bytes], arguments[2], { type: arguments[3] }));
            for (const event of arguments[0]) document.querySelector("#drop").dispatchEvent(
                new DragEvent(event, { dataTransfer, bubbles: true, cancelable: true }));""",
                list(events), base64.b64encode(data).decode(), name, kind)

    def stroke(self, *points):
        """Draws on the pad with a finger or the mouse; the points are shares of its half width, from its middle."""
        self.js("document.querySelector('#draw').scrollIntoView({ block: 'center' })")
        canvas = {ELEMENT: self.find("#draw")}
        half = self.js("return document.querySelector('#draw').clientWidth") / 2
        move = [{"type": "pointerMove", "duration": 5, "origin": canvas, "x": round(x * half), "y": round(y * half)}
                for x, y in points]
        actions = [move[0], {"type": "pointerDown", "button": 0}, *move[1:], {"type": "pointerUp", "button": 0}]
        kind = {"pointerType": "touch" if self.phone else "mouse"}
        self.call("actions", {"actions": [{"type": "pointer", "id": "pen", "parameters": kind, "actions": actions}]})

    def drawing(self):
        """The pad as a PNG, and the share of its pixels that are light."""
        data, light = self.js("""const pad = document.querySelector("#draw"), copy = document.createElement("canvas");
            [copy.width, copy.height] = [pad.width, pad.height];
            const pen = copy.getContext("2d", { willReadFrequently: true });
            pen.drawImage(pad, 0, 0);
            const bytes = pen.getImageData(0, 0, pad.width, pad.height).data;
            const light = bytes.filter((byte, i) => i % 4 === 0 && byte > 127).length / (pad.width * pad.height);
            return [pad.toDataURL("image/png").split(",")[1], light];""")
        return base64.b64decode(data), light

    def mark(self):
        """Marks what is shown, so that `shown` waits for what comes after it."""
        self.js("for (const old of document.querySelectorAll('#answer > *')) old.dataset.old = ''")

    def shown(self):
        """The answer that is shown: each output, the notes, and the time."""
        self.until("an answer", "document.querySelector('#time').textContent && !document.querySelector"
                   "('#answer[aria-busy], #answer > [data-old]') && document.querySelector('#error').hidden")
        return self.js("""const texts = (of, css) => [...of.querySelectorAll(css)].map((one) => one.textContent);
            const parts = [...document.querySelectorAll("#answer > section:not(.notes)")].map((part) => ({
                titles: texts(part, "h2"), headline: texts(part, ".headline").map((text) => text.trim())[0] ?? null,
                numbers: [...part.querySelectorAll("dl > div")].map((row) => texts(row, "dt, dd")),
                bars: [...part.querySelectorAll(".bars li")].map((bar) => [...texts(bar, "span"),
                    parseFloat(bar.querySelector(".bar div").style.width), bar.className === "marked"]) }));
            return { parts, notes: texts(document, ".notes li"),
                time: document.querySelector("#time").textContent };""")

    def failed(self, words):
        self.until(f"an error with {words!r}", "!document.querySelector('#error').hidden && "
                   "document.querySelector('#error').innerText.includes(arguments[0])", words)
        equal(self.count("#answer section"), 0, "answers beside an error")

    def shot(self, name):
        """Checks the width, and saves a picture of the whole page, light and dark."""
        inner, scroll = self.js("return [innerWidth, document.documentElement.scrollWidth]")
        equal(inner, self.width, "innerWidth")
        assert scroll <= inner, f"the page is {scroll} pixels wide and scrolls sideways"
        for scheme in ["light", "dark"] if self.shots else []:
            self.dark(scheme == "dark")
            data = self.cdp("Page.captureScreenshot", captureBeyondViewport=True)["data"]
            (self.shots / f"{name}-{self.width}-{scheme}.png").write_bytes(base64.b64decode(data))
        self.dark(False) if self.shots else None

    def log(self, kind):
        return self.call("se/log", {"type": kind})

    def quit(self):
        http("DELETE", self.session)


def digits(number):
    """Six digits, with a comma after each three before the point."""
    whole, point, rest = f"{abs(number):.6g}".partition(".")
    return "-" * (number < 0) + f"{int(whole):,}" + point + rest


def expected(value):
    """The headline, bars and numbers that an output of the server's reply must be shown as."""
    bar = lambda name, p, marked: [name, f"{100 * p:.1f}%", 100 * p, marked]
    part = {"headline": None, "bars": [], "numbers": []}
    unit = lambda number: f"{digits(number)} {value.get('unit', '')}".strip()
    if "ranked" in value:
        part["headline"] = value["class"] or "none"
        ranked = [(one["class"], one["probability"]) for one in value["ranked"]]
        part["bars"] = [bar(name, probability, name == value["class"]) for name, probability in ranked]
    elif "labels" in value:
        part["headline"] = ", ".join(value["labels"]) or "none"
        above = lambda one: one["label"] in value["labels"]
        ranked = sorted(value["probabilities"], key=lambda one: (not above(one), -one["probability"]))
        part["bars"] = [bar("✓ " * above(one) + one["label"], one["probability"], above(one)) for one in ranked]
    elif "number" in value:
        part["headline"] = unit(value["number"])
    else:
        named = value["numbers"].items() if isinstance(value["numbers"], dict) else enumerate(value["numbers"], 1)
        part["numbers"] = [[str(name), unit(number)] for name, number in named]
    return part


def agrees(page, server, model, body, kind="application/json"):
    """What is shown is what the server answers when it is asked directly; returns that."""
    shown = page.shown()
    reply = http("POST", f"{server}/v1/predict/{urllib.parse.quote(model)}?top=5", body, kind)
    assert "answers" in reply, f"asked directly: {reply}"
    answer = reply["answers"][0]
    outputs = list(answer["outputs"].values()) if "outputs" in answer else [answer]
    equal(len(shown["parts"]), len(outputs), "outputs")
    for part, value in zip(shown["parts"], outputs):
        for key, wanted in expected(value).items():
            got = part[key]
            if key == "bars":  # A width in CSS has six digits.
                widths = zip([bar.pop(2) for bar in got], [bar.pop(2) for bar in wanted], strict=True)
                assert all(abs(a - b) < 1e-3 for a, b in widths), f"{model}: the lengths of the bars"
            equal(got, wanted, f"{model}: {key}")
    equal(shown["notes"], answer.get("notes", []), f"{model}: notes")
    assert shown["time"].split()[2].isdigit() and " ms" in shown["time"], shown["time"]
    return answer


def luminance(colour):
    """The relative luminance of WCAG 2."""
    linear = [byte / 12.92 / 255 if byte <= 10 else ((byte / 255 + .055) / 1.055) ** 2.4 for byte in colour[:3]]
    return sum(share * light for share, light in zip([.2126, .7152, .0722], linear))
