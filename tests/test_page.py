"""mg.save_steps: what the page holds, that it is one safe file, and that a browser shows what the walk computed."""

import html
import json
import math
import os
import re
import shutil
import subprocess
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import minigen as mg
from minigen import nn
from minigen.trace import Steps, Walk
from minigen.trace.page import contents

HOSTILE = "</script><img src=x onerror=alert(1)>"


def array(values, dtype="float64"):
    return mg.asarray(np.array(values, dtype=dtype))


def wants(values, name=None):
    return mg.tensor(array(values), requires_grad=True, name=name)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def neuron():
    a, b, c = wants(2.0, "a"), wants(-3.0, "b"), wants(7.0, "c")
    with mg.watch():
        u = a * b
        v = u + c
        return mg.tanh(v)


def used_twice():
    x = wants([[2.0, -1.0]], "x")
    with mg.watch():
        h = x * 3.0
        return (h * h + h).sum()


def gates():
    """Several outputs, one of them unused; a sum over a broadcast axis."""
    x, b = wants(normal(2, 6), "x"), wants(normal(6, seed=1), "b")
    with mg.watch():
        i, f, _ = mg.split(x + b, sections=3, axis=1)
        return (mg.sigmoid(i) * mg.tanh(f)).sum()


def images():
    mg.seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dense(8, 3))
    x = array(normal(2, 4, 4, 1), "float32")
    with mg.watch():
        return mg.cross_entropy(model(x), mg.asarray(np.array([0, 2])))


def not_numbers():
    x = wants([1.0, math.nan, math.inf, 0.0], "x")
    with mg.watch():
        return (x * 2.0).sum()


def long_loop():
    w, h = wants(normal(3, 3) / 2, "w"), array(np.ones((1, 3)))
    with mg.watch():
        for _ in range(40):
            h = mg.tanh(h @ w)
        return h.sum()


def unwatched():
    w = wants(normal(3, 2), "w")
    return mg.tanh(array(normal(4, 3)) @ w).sum()


def hostile():
    x = wants([0.5, 1.5], HOSTILE)
    with mg.watch():
        y = x * 2.0
        y.name = "<b>&amp;</b>"
        return mg.tanh(y).sum()


GRAPHS = [neuron, used_twice, gates, images, not_numbers, long_loop, unwatched, hostile]


class Page(HTMLParser):
    """Every tag with its attributes, and the text of the scripts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self.title = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] == "script":
            self.scripts.append(data)
        if self.tags and self.tags[-1][0] == "title":
            self.title = self.title or data

    @property
    def walk(self):
        return json.loads(self.scripts[0])


def page_of(loss):
    return mg.show_steps(loss).html


# ------------------------------------------------------------------------------- the file


@pytest.mark.parametrize("make", GRAPHS)
def test_the_page_needs_nothing_but_itself(make):
    text = page_of(make())
    page = Page(text)
    assert not {"link", "img", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in page.tags}
    pointing = {(tag, a["href"]) for tag, a in page.tags if "href" in a} | {
        (t, a["src"]) for t, a in page.tags if "src" in a
    }
    assert pointing == {("a", "#details")}
    assert [tag for tag, _ in page.tags].count("script") == 2 and page.tags[-2][1] == {
        "type": "application/json",
        "id": "walk",
    }
    policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    outside = text.replace("http://www.w3.org/2000/svg", "")
    assert "http:" not in outside and "https:" not in outside and "@import" not in text
    assert set(re.findall(r"url\(([^)]*)\)", text)) <= {
        "#hatch",
        "#head${unique}",
        '#${flows ? "flow" : "head"}${unique}',
    }
    assert "<!--" not in text


@pytest.mark.parametrize("make", GRAPHS)
def test_the_numbers_on_the_page_are_those_of_the_walk(make):
    loss = make()
    told, walk = Page(page_of(loss)).walk, Walk(loss)
    assert told["total"] == walk.total == len(told["steps"]) and told["failure"] == ""

    def same(index, wanted):
        known = told["values"][index]
        assert known["status"] == "known" and tuple(known["shape"]) == wanted.shape
        flat = np.array(known["values"], dtype=object).ravel().astype(float)
        np.testing.assert_allclose(flat, mg.to_numpy(wanted).ravel().astype(float), rtol=1e-6)

    for facts, step in zip(told["steps"], walk.steps, strict=True):
        for facts_out, arrival in zip(facts["outgoing"], step.arrivals, strict=True):
            same(facts_out["gradient"], arrival.gradient)
            same(facts_out["after"], arrival.after)
            before = told["values"][facts_out["before"]]
            if arrival.before is None:
                assert before["status"] == "not yet" and before["values"] is None
            else:
                same(facts_out["before"], arrival.before)
            assert (facts_out["came"], facts_out["consumers"]) == (arrival.came, arrival.consumers)
        if step.node.outputs is None:
            same(facts["upstreams"][0]["value"], step.upstream)


@pytest.mark.parametrize("make", GRAPHS)
def test_every_step_has_its_box_and_every_arrow_two_ends(make):
    told = contents(Walk(make()))
    homes = {id: box["id"] for box in told["boxes"] for id in box["holds"]}
    assert homes.keys() == {node["id"] for node in told["nodes"]}
    assert {step["id"] for step in told["steps"]} == {id for box in told["boxes"] for id in box["ops"]}
    ids = {box["id"] for box in told["boxes"]}
    assert all({arrow["from"], arrow["to"]} <= ids for arrow in told["arrows"]) and len(ids) <= 50


@pytest.mark.parametrize("make", [hostile])
def test_what_a_user_put_in_cannot_leave_its_script_tag(make):
    loss = make()
    text = page_of(loss)
    page = Page(text)
    assert HOSTILE not in text and "<b>" not in text and "<img" not in text
    assert HOSTILE in [node["name"] for node in page.walk["nodes"]]
    assert "<b>&amp;</b>" in [node["name"] for node in page.walk["nodes"]]


def test_a_name_does_not_stand_for_a_part_of_the_template():
    loss = mg.tanh(wants(1.0, "<!--script-->"))
    loss.name = "<!--walk-->"
    page = Page(page_of(loss))
    assert page.walk["title"] == "<!--walk-->" and page.title == "Backprop of <!--walk-->"


def test_the_script_makes_no_markup_of_text():
    text = page_of(neuron())
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "fetch("):
        assert way not in text


def test_a_walk_that_fails_is_told_as_far_as_it_came():
    @mg.op
    class crooked:
        """y = x"""

        def forward(x):
            return x * 1.0

        def d_x(dy):
            raise ArithmeticError("as <planted>")

    with mg.watch():
        loss = mg.tanh(crooked(wants([1.0, 2.0], "x"))).sum()
    told = Page(page_of(loss)).walk
    assert (len(told["steps"]), told["total"], told["failure"]) == (2, 3, "ArithmeticError: as <planted>")


def test_large_arrays_are_told_in_three_numbers():
    x = wants(normal(40, 40), "x")
    with mg.watch():
        loss = mg.tanh(x).sum()
    told = contents(Walk(loss))
    leaf = told["values"][next(n for n in told["nodes"] if n["kind"] == "leaf")["outputs"][0]]
    assert leaf["values"] is None and leaf["shape"] == [40, 40] and leaf["least"] < leaf["mean"] < leaf["most"]


def test_saving_looks_and_changes_nothing(tmp_path):
    loss = neuron()
    path = mg.save_steps(loss, tmp_path / "steps.html")
    assert path == tmp_path / "steps.html" and path.read_text(encoding="utf-8") == page_of(loss)
    assert [file.name for file in tmp_path.iterdir()] == ["steps.html"]
    loss.backward()  # the graph was kept, and no .grad was written
    assert len(path.read_bytes()) < 100_000


def test_an_interruption_leaves_the_old_file_whole(tmp_path, monkeypatch):
    path = tmp_path / "steps.html"
    path.write_text("the old one")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        mg.save_steps(neuron(), path)
    assert path.read_text() == "the old one" and list(tmp_path.iterdir()) == [path]


def test_bad_input_gets_a_sentence(tmp_path):
    loss = neuron()
    loss.backward()
    with pytest.raises(RuntimeError, match="was released by an earlier backward"):
        mg.save_steps(loss, tmp_path / "x.html")
    with pytest.raises(RuntimeError, match="is a leaf, no op made it"):
        mg.save_steps(wants(1.0), tmp_path / "x.html")
    with pytest.raises(TypeError, match="wants a Tensor to start from, got int"):
        mg.show_steps(3)
    with pytest.raises(RuntimeError, match="reduce it first"):
        mg.save_steps(mg.tanh(wants([1.0, 2.0])), tmp_path / "x.html")
    assert not list(tmp_path.iterdir())
    assert mg.show_steps(mg.tanh(wants([1.0, 2.0])), upstream=array([1.0, 0.5])).count == 1


def test_the_loss_is_called_what_the_caller_calls_it():
    penalty = neuron()
    assert Page(mg.show_steps(penalty).html).title == "Backprop of penalty"


def test_in_a_notebook_it_shows_itself_in_a_frame_of_its_own():
    steps = mg.show_steps(hostile())
    assert isinstance(steps, Steps) and repr(steps).startswith("<Steps: 3 of them, a page of ")
    (frame,) = Page(steps._repr_html_()).tags
    assert frame[0] == "iframe" and frame[1]["srcdoc"] == steps.html and frame[1]["sandbox"] == "allow-scripts"
    (step, *_) = mg.backprop(hostile())
    assert step._repr_html_() == f"<pre>{html.escape(str(step))}</pre>"


def test_the_template_is_installed_with_the_package():
    root = Path(mg.__file__).parent
    project = root.parent / "pyproject.toml"
    if not project.exists():
        pytest.skip("minigen is installed without its pyproject.toml beside it")
    patterns = tomllib.loads(project.read_text(encoding="utf-8"))["tool"]["setuptools"]["package-data"]["minigen"]
    packed = {path.name for pattern in patterns for path in root.glob(pattern)}
    assert {"page.html", "page.css", "page.js"} <= packed


# ------------------------------------------------------------------------------- in a browser

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--virtual-time-budget=20000"]
WATCHER = """<script>
window.troubles = [];
for (const event of ["error", "unhandledrejection", "securitypolicyviolation"])
  window.addEventListener(event, e => troubles.push(`${event}: ${e.message || e.reason || e.violatedDirective}`));
for (const kind of ["error", "warn"]) console[kind] = (...said) => troubles.push(`console.${kind}: ${said}`);
</script>"""
DRIVER = """<script>
const press = key => (document.activeElement || document.body).dispatchEvent(
  new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
const look = () => ({
  where: find("where").textContent, text: find("details").textContent, said: find("live").textContent,
  boxes: Object.fromEntries([...find("graph").querySelectorAll("g.box")].map(
    box => [box.getAttribute("aria-label"), box.getAttribute("class")])),
  wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  hatched: find("details").querySelectorAll(".missing").length,
});
window.addEventListener("load", () => {
  const found = {};
  try { drive(found); } catch (error) { troubles.push(`driver: ${error.stack}`); }
  found.troubles = troubles;
  const told = { id: "found", textContent: JSON.stringify(found) };
  document.body.append(Object.assign(document.createElement("pre"), told));
});
function drive(found) {
DRIVE
}
</script>"""
TO_THE_END = """
  found.seen = [look()];
  for (let i = 0; i < walk.total; i++) { press("ArrowRight"); found.seen.push(look()); }
  press("ArrowRight");
  found.last = look();
"""


class Found(HTMLParser):
    """The text of the element that the driver leaves."""

    def __init__(self, text):
        super().__init__()
        self.inside, self.text = False, ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.inside = dict(attributes).get("id") == "found"

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        self.text += data if self.inside else ""


@pytest.fixture
def browse(tmp_path):
    """Open a page in headless Chromium, run a script in it, and return what that found."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
    if browser is None:
        pytest.skip("needs Chromium: apt-get install chromium")

    def run(text, drive):
        script = DRIVER.replace("DRIVE", drive)
        text = text.replace("<head>", "<head>" + WATCHER, 1).replace("</body>", script + "</body>")
        path = tmp_path / "page.html"
        path.write_text(text, encoding="utf-8")
        command = [browser, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--dump-dom"]
        done = subprocess.run([*command, path.as_uri()], capture_output=True, text=True, timeout=120)
        logged = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        found = json.loads(Found(done.stdout).text)
        assert not found["troubles"] and not logged, (found["troubles"], logged)
        return found

    return run


def as_shown(number):
    """A number as the page writes it."""
    return f"{number:.4g}".replace("-", "\u2212")


@pytest.mark.browser
@pytest.mark.parametrize("make", GRAPHS)
def test_the_browser_steps_to_the_end_and_shows_the_numbers(browse, make):
    loss = make()
    walk = Walk(loss, name="loss")
    found = browse(page_of(loss), TO_THE_END)
    assert [s["where"] for s in found["seen"]] == [f"{walk.total} steps"] + [
        f"Step {i + 1} of {walk.total}" for i in range(walk.total)
    ]
    assert found["last"]["text"] == found["seen"][-1]["text"] and "The walk is over" in found["last"]["text"]
    for step, seen in zip(walk.steps, found["seen"][1:], strict=True):
        facts = walk.step(step.number)
        assert facts.title in seen["text"] and facts.formula in seen["text"] and facts.title in seen["said"]
        for going, arrival in zip(facts.outgoing, step.arrivals, strict=True):
            assert going.text in seen["text"] and going.rule.splitlines()[-1] in seen["text"]
            gradient = mg.to_numpy(arrival.gradient)
            if gradient.size <= 16 and np.isfinite(gradient).all() and (abs(gradient) > 1e-3).all():
                assert [as_shown(v) for v in gradient.ravel() if as_shown(v) not in seen["text"]] == []


@pytest.mark.browser
def test_the_boxes_tell_what_is_done_current_and_to_come(browse):
    loss = neuron()
    seen = browse(page_of(loss), TO_THE_END)["seen"]
    states = [{label.split(" ")[0]: (label, kind.split()[-1]) for label, kind in s["boxes"].items()} for s in seen]
    assert [state["v"][1] for state in states] == ["todo", "todo", "current", "done"]
    assert [state["c"][1] for state in states] == ["todo", "todo", "done", "done"]
    assert "gradient not yet" in states[0]["v"][0] and "gradient 0.42" in states[1]["v"][0]
    assert all("gradient not yet" in label for label, _ in states[0].values()) and seen[0]["hatched"] == 3
    assert not any("not yet" in label for label, _ in states[-1].values())


@pytest.mark.browser
def test_accumulation_shows_what_had_arrived_and_not_yet_is_not_zero(browse):
    seen = browse(page_of(used_twice()), TO_THE_END)["seen"]
    adds = [s for s in seen if "had arrived" in s["text"]]
    assert "not computed yet" in adds[0]["text"] and adds[0]["hatched"] == 1
    assert "2 of 3 consumers of h have arrived" in adds[1]["text"] and "3 of 3 consumers of h" in adds[1]["text"]


@pytest.mark.browser
def test_buttons_slider_keys_boxes_and_the_address_all_lead_to_the_same_steps(browse):
    drive = """
      const slider = find("slider"), note = name => {
        const edges = [find("back").disabled, find("next").disabled];
        found[name] = [find("where").textContent, slider.value, location.hash, ...edges];
      };
      const send = (element, event) => element.dispatchEvent(event);
      const key = (key, more) => new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more });
      note("start");
      find("next").click(); note("next");
      find("next").click(); find("back").click(); note("back");
      find("last").click(); note("last");
      find("first").click(); note("first");
      press("End"); note("End");
      press("ArrowLeft"); note("ArrowLeft");
      press("Home"); note("Home");
      slider.value = 2; send(slider, new Event("input", { bubbles: true })); note("slider");
      send(document.querySelector('[data-step="3"]'), key("Enter")); note("box by key");
      send(document.querySelector('[data-step="1"]'), new MouseEvent("click", { bubbles: true })); note("box by click");
      send(document.body, key("ArrowRight", { altKey: true })); note("not ours");
      const all = [...document.querySelectorAll("button, input, [role=button]")];
      found.names = all.map(element => element.getAttribute("aria-label"));
      found.focusable = [...document.querySelectorAll("[data-step]")].every(e => e.getAttribute("tabindex") === "0");
    """
    found = browse(page_of(neuron()), drive)
    start, at = ["3 steps", "0", "", True, False], lambda n: [f"Step {n} of 3", str(n), f"#step={n}", False, n == 3]
    assert found["start"] == start == found["first"] == found["Home"]
    expected = {"next": 1, "back": 1, "last": 3, "End": 3, "ArrowLeft": 2, "slider": 2, "box by key": 3}
    expected |= {"box by click": 1, "not ours": 1}
    for name, n in expected.items():
        assert found[name] == at(n), name
    assert all(found["names"]) and found["focusable"]


@pytest.mark.browser
@pytest.mark.parametrize("make", [used_twice, images, hostile, long_loop])
def test_on_a_phone_nothing_is_wider_than_the_screen(browse, make):
    inner = page_of(make()).replace("</body>", DRIVER.replace("DRIVE", TO_THE_END) + "</body>")
    inner = inner.replace("<head>", "<head>" + WATCHER, 1)
    frame = f'<iframe id="phone" style="width:360px;height:740px" srcdoc="{html.escape(inner, quote=True)}"></iframe>'
    page = f"<!doctype html><html><head></head><body>{frame}</body></html>"
    drive = "found.inner = JSON.parse(phone.contentDocument.getElementById('found').textContent);"
    found = browse(page, drive)["inner"]
    assert not found["troubles"] and len(found["seen"]) > 3
    assert {s["wide"] for s in found["seen"]} == {0}


@pytest.mark.browser
def test_printing_lists_all_steps(browse):
    loss = used_twice()
    walk = Walk(loss, name="loss")
    drive = """
      window.dispatchEvent(new Event("beforeprint"));
      found.titles = [...document.querySelectorAll("#print h2")].map(e => e.textContent);
      found.pictures = document.querySelectorAll("#print .map svg").length;
      window.dispatchEvent(new Event("afterprint"));
      found.left = document.querySelector("#print").children.length;
    """
    found = browse(page_of(loss), drive)
    assert found["titles"] == [walk.step(s.number).title for s in walk.steps]
    assert found["pictures"] == 1 and found["left"] == 0


@pytest.mark.browser
def test_hostile_names_are_shown_as_text(browse):
    found = browse(page_of(hostile()), TO_THE_END + "found.images = document.images.length;")
    assert found["images"] == 0 and HOSTILE in found["last"]["text"] and "<b>&amp;</b>" in found["last"]["text"]


@pytest.mark.browser
def test_in_the_frame_of_a_notebook_it_runs_without_an_address_of_its_own(browse):
    page = f"<!doctype html><html><head></head><body>{mg.show_steps(neuron())._repr_html_()}</body></html>"
    browse(page, "found.loaded = document.querySelector('iframe').srcdoc.length;")
