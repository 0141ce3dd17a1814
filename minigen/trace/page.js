"use strict";
// Everything a user put in reaches the page as text (textContent, setAttribute), never as markup.

const walk = JSON.parse(document.getElementById("walk").textContent);
const nodes = new Map(walk.nodes.map(node => [node.id, node]));
const stepOf = new Map(walk.steps.map(step => [step.id, step.number]));
const homes = new Map(walk.boxes.flatMap(box => box.holds.map(id => [id, box.id])));
const last = walk.steps.length;
const NUMBERS = 64, COLUMNS = 10; // arrays up to so large are written as numbers, larger ones as colours alone
const value = index => walk.values[index];

// ------------------------------------------------------------------------------------------------ making elements

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, what] of Object.entries(attributes || {})) if (what !== undefined) element.setAttribute(name, what);
  element.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== ""));
  return element;
}
const make = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const draw = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
const code = text => make("code", {}, text);

// As Python's "%.4g": four digits, and powers of ten only where they are needed; with a minus as long as a plus.
function number(v) {
  if (typeof v !== "number") return String(v);
  const size = Math.abs(v);
  const plain = size === 0 || (size >= 1e-4 && size < 1e4) || (Number.isInteger(v) && size < 1e6);
  const text = plain ? Number.isInteger(v) ? String(v + 0) : String(Number(v.toPrecision(4)))
    : v.toExponential(3).replace(/\.?0*e\+?/, "e");
  return text.replace(/-/g, "\u2212");
}

// ------------------------------------------------------------------------------------------------ arrays

const largest = known => Math.max(Math.abs(known.least || 0), Math.abs(known.most || 0));
const isCount = known => /^(u?int|bool)/.test(known.dtype || ""); // labels, indices: no colours for these

function paint(cell, v, scale, plain, most = 80) {
  if (typeof v === "string") return cell.classList.add("odd"); // nan, inf
  if (plain) return cell.classList.add("plain");
  const much = scale ? Math.min(1, Math.abs(v) / scale) : 0;
  cell.classList.add(v < 0 ? "negative" : "positive");
  cell.style.setProperty("--much", `${(most * much).toFixed(1)}%`);
  if (much * most > 50) cell.classList.add("strong");
}

function numberGrid(rows, scale, plain) {
  const cells = row => row.map(v => {
    const cell = make("td", { class: "cell" }, number(v));
    paint(cell, v, scale, plain);
    return cell;
  });
  return make("div", { class: "scroll" }, make("table", { class: "grid" }, rows.map(row => make("tr", {}, cells(row)))));
}

function colourGrid(rows, scale, plain) {
  const columns = rows[0].length, side = Math.max(5, Math.min(18, Math.floor(430 / columns), Math.floor(180 / rows.length)));
  const picture = draw("svg", { class: "cells", width: columns * side, height: rows.length * side, "aria-hidden": "true" });
  rows.forEach((row, i) => row.forEach((v, j) => {
    const cell = draw("rect", { x: j * side, y: i * side, width: side - 1, height: side - 1 }, draw("title", {}, number(v)));
    paint(cell, v, scale, plain);
    picture.append(cell);
  }));
  return make("div", { class: "scroll" }, picture);
}

// The two axes that lie in the plane, and what goes over the others: images are (N, H, W, C), kernels (KH, KW, C, F).
function planes(known, isKernel) {
  const { shape, values } = known;
  if (shape.length <= 2) return [["", shape.length === 2 ? values : [values]]];
  const first = shape.length === 4 ? (isKernel ? 0 : 1) : shape.length - 2;
  const others = shape.map((_, axis) => axis).filter(axis => axis !== first && axis !== first + 1);
  const at = place => place.reduce((inner, i) => inner[i], values);
  let places = [[]];
  for (const axis of others) places = places.flatMap(p => Array.from({ length: shape[axis] }, (_, i) => [...p, i]));
  return places.map(p => {
    const place = (i, j) => shape.map((_, axis) => axis === first ? i : axis === first + 1 ? j : p[others.indexOf(axis)]);
    const rows = Array.from({ length: shape[first] }, (_, i) => Array.from({ length: shape[first + 1] }, (_, j) => at(place(i, j))));
    return [`[${shape.map((_, axis) => axis === first || axis === first + 1 ? ":" : p[others.indexOf(axis)]).join(", ")}]`, rows];
  });
}

function body(known, scale, isKernel) {
  if (known.status === "not yet") return make("div", { class: "missing" }, make("b", {}, "not computed yet"));
  if (known.status !== "known") return make("div", { class: "unknown" }, known.text);
  if (!known.shape) return make("div", {}, code(known.text));
  const plain = isCount(known);
  scale = scale || largest(known);
  if (known.values === null) return summary(known);
  if (!known.shape.length) {
    const cell = make("span", { class: "number cell" }, number(known.values));
    paint(cell, known.values, scale, plain, 28);
    return cell;
  }
  const size = known.shape.reduce((a, b) => a * b, 1);
  if (!size) return make("div", { class: "unknown" }, "an empty array");
  const written = size <= NUMBERS && known.shape[known.shape.length - 1] <= COLUMNS && known.shape.length < 4;
  const all = planes(known, isKernel), shown = all.slice(0, 16);
  const made = shown.map(([label, rows]) => {
    const grid = (written ? numberGrid : colourGrid)(rows, scale, plain);
    return label ? make("div", {}, make("small", {}, label), grid) : grid;
  });
  return make("div", {}, all.length > 1 ? make("div", { class: "blocks" }, made) : made,
    all.length > shown.length ? make("p", { class: "says-so" }, `and ${all.length - shown.length} more`) : null,
    written ? null : make("p", { class: "says-so" }, between(known)));
}

const between = known => known.least === null ? "no finite entry"
  : `from ${number(known.least)} to ${number(known.most)}, mean ${number(known.mean)}`;

function summary(known) {
  if (known.least === null) return make("div", { class: "range" }, known.text);
  const part = (label, v) => [make("span", {}, `${label} `), number(v), "   "];
  return make("div", { class: "range" }, part("min", known.least), part("mean", known.mean), part("max", known.most));
}

function shapeOf(known) {
  return known.shape && known.shape.length ? `(${known.shape.join(", ")}${known.shape.length === 1 ? "," : ""})` : "";
}

// caption: a list of strings and elements. scale: the number that has the full colour, the array's own by default.
// inline: a single number stands beside its caption.
function array(index, caption, { scale, isKernel, shape = true, inline = false } = {}) {
  const known = value(index), size = shape ? shapeOf(known) : "";
  if (inline && !size) return make("figure", { class: "array single" }, make("figcaption", {}, caption, " ="), body(known, scale, isKernel));
  const label = caption.length || size ? make("figcaption", {}, caption, caption.length && size ? "  " : "", size) : null;
  return make("figure", { class: "array" }, label, body(known, scale, isKernel));
}

// ------------------------------------------------------------------------------------------------ one step

// "d loss / d h" as a fraction
function fraction(meaning) {
  const parts = meaning.split(" / ");
  const side = text => make("span", {}, make("i", { class: "d" }, "d"), text.replace(/^d /, " "));
  return make("span", { class: "fraction", role: "math", "aria-label": meaning },
    side(parts[0]), side(parts.slice(1).join(" / ")));
}

function dots(came, consumers) {
  if (consumers < 2 || consumers > 12) return null;
  return make("span", { class: "dots", "aria-hidden": "true" },
    Array.from({ length: consumers }, (_, i) => make("i", i < came ? { class: "in" } : {})));
}

function part(title, ...children) {
  return make("section", { class: "part" }, make("h3", {}, title), children);
}

function named(operand) {
  return operand.name === operand.parameter ? [code(operand.parameter)] : [code(operand.parameter), " is ", code(operand.name)];
}

function operands(step) {
  const one = operand => array(operand.value, operand.name === value(operand.value).text ? [code(operand.parameter)] : named(operand),
    { isKernel: operand.parameter === "w" });
  return part("Forward: what went in, and what came out",
    make("div", { class: "row top-aligned" }, step.inputs.map(one), step.outputs.map((output, i) => term(i ? null : "\u2192", one(output)))),
    settings(step));
}

function settings(step) {
  const all = Object.entries(step.settings).map(([name, said]) => `${name}=${said}`);
  return all.length ? make("p", { class: "says-so" }, "with ", code(all.join(", "))) : null;
}

const term = (sign, figure) => sign === null ? figure : make("div", { class: "term" }, make("span", { class: "sign" }, sign), figure);
const row = (label, ...content) => content.some(Boolean) ? [make("dt", {}, label), make("dd", {}, content)] : [];

function comesIn(up) {
  return make("div", { class: "sends" }, make("h4", {}, fraction(up.meaning)), make("dl", { class: "lines" },
    row("gradient", array(up.value, [code(up.parameter)], { inline: true })),
    row("arrived", dots(up.came, up.consumers), up.text)));
}

// seen: the lines that have just been shown, as of a kernel that computes several gradients at once
function rules(out, seen) {
  const lines = out.rule.split("\n"), tail = lines.pop();
  const whole = tail.startsWith("def ") || tail !== tail.trimStart();
  const symbols = [...lines, whole ? tail : `d_${out.parameter} = ${tail}`].join("\n");
  const again = seen.has(symbols);
  seen.add(symbols);
  const same = out.numbers.length === 1 && out.numbers[0] === value(out.gradient).text; // nothing was put in
  return [row("rule", again ? "by the same lines" : make("pre", { class: "rule" }, symbols)),
    again || same ? [] : row("numbers", out.numbers.some(line => line.includes("=")) ? make("pre", {}, out.numbers.join("\n")) : out.numbers.join("; "))];
}

function jacobian(step, out) {
  const found = out.jacobian;
  if (!found) return [];
  const words = found.text.replace(/^\([^)]*\), /, "");
  const what = step.outputs.length === 1 ? step.outputs[0].parameter : "outputs";
  if (found.structure === "number") return row("Jacobian", code(`d ${what} / d ${out.parameter} = ${words.replace("the slope ", "")}`));
  const label = [code(`d ${what} / d ${out.parameter}`), `  ${found.rows} x ${found.columns}, ${words}`];
  if (!found.matrix) return row("Jacobian", label);
  const scale = Math.max(...found.matrix.flat().filter(v => typeof v === "number").map(Math.abs));
  return row("Jacobian", make("figure", { class: "array" }, make("figcaption", {}, label), numberGrid(found.matrix, scale)));
}

function goesOut(step, out, seen) {
  const isKernel = out.parameter === "w";
  const sums = [[out.before, "had arrived", ""], [out.gradient, "comes now", "+"], [out.after, out.came < out.consumers ? "so far" : "complete", "="]];
  const scale = Math.max(...sums.map(([index]) => largest(value(index)))) || undefined;
  const stacked = (value(out.after).shape || []).slice(-1)[0] > 3; // wide ones stand below one another
  const added = sums.map(([index, label, sign]) => term(stacked || sign ? sign : null, array(index, [label], { scale, isKernel, shape: false })));
  const gradient = out.consumers > 1 ? make("div", { class: stacked ? "row stacked" : "row" }, added) : array(out.gradient, [code(`d_${out.parameter}`)], { isKernel, inline: true });
  return make("div", { class: "sends" },
    make("h4", {}, fraction(out.meaning), out.to_name === out.parameter ? null : make("span", { class: "says-so" }, code(out.to_name), " is its ", code(out.parameter))),
    make("dl", { class: "lines" },
      rules(out, seen),
      jacobian(step, out),
      row("reduced", out.reduction ? `${out.reduction}, because ${out.parameter} was broadcast` : null),
      row("gradient", gradient),
      row("arrived", dots(out.came, out.consumers), out.text),
      row("note", out.note)));
}

function more(step, open) {
  const sources = [...new Set(step.outgoing.map(out => out.source))].join("\n\n");
  const kept = Object.entries(step.saved);
  const hidden = (title, ...inside) => make("details", open ? { open: "" } : {}, make("summary", {}, title), inside);
  return make("section", { class: "part" },
    hidden("The op's own lines", make("pre", {}, sources)),
    kept.length ? hidden(`What they had asked to keep from the forward: ${kept.map(([name]) => name).join(", ")}`,
      open ? null : make("div", { class: "row top-aligned" }, kept.map(([name, index]) => array(index, [code(name)], { isKernel: name === "w" })))) : null,
    step.fused ? make("p", { class: "says-so" }, code(step.op), " is written in smaller ops, too: mg.step_through can step into it.") : null,
    step.watched ? null : make("p", { class: "says-so" }, "For names, source lines and all values, run the forward inside mg.watch()."));
}

function stepPage(at, open) {
  const step = walk.steps[at - 1], seen = new Set();
  const about = [code(step.formula)];
  if (step.source) about.push(make("span", {}, "written ", code(step.source)));
  if (step.where) about.push(make("span", {}, step.where));
  if (step.module) about.push(make("span", {}, `in ${step.module}`));
  return [
    make("p", { class: "eyebrow paper" }, `Step ${at} of ${walk.total}`),
    make("h2", {}, step.title),
    make("p", { class: "about" }, about),
    part("Comes in, from below", step.upstreams.map(comesIn)),
    part(step.outgoing.length > 1 ? `Goes out, to ${step.outgoing.length} inputs` : "Goes out", step.outgoing.map(out => goesOut(step, out, seen))),
    operands(step),
    more(step, open),
    at === last ? ending() : null,
  ];
}

function leaves(at) {
  const found = walk.nodes.filter(node => node.kind === "leaf");
  return make("div", { class: "leaves" }, found.map(node => {
    const state = standing(at, node.id, 0);
    return array(state.value, [fractionOf(node)], { isKernel: /(^|\.)w$/.test(node.id) });
  }));
}

const fractionOf = node => [code(node.id), " "];

function ending() {
  if (walk.failure) return part("The walk stopped here", make("p", { class: "warning" }, `The next step raised ${walk.failure}`));
  return part("The walk is over: what has arrived at the leaves",
    leaves(last), make("p", { class: "says-so" }, make("br"), "backward() adds these to their .grad."));
}

function beginning() {
  const watched = walk.steps.every(step => step.watched);
  return [
    make("h2", {}, `d ${walk.title} / d everything`),
    make("p", { class: "prose" }, "The forward has been run, so every box holds its value. No gradient has been computed: what is hatched is not there yet, which is not the same as 0."),
    make("p", { class: "prose" }, "The walk starts at the bottom, at ", code(walk.title), ", whose slope in itself is 1. ",
      `Each of its ${walk.total} steps takes the gradient that has arrived at one box and hands it on to that box's inputs.`),
    watched ? null : make("p", { class: "prose says-so" }, "For names, source lines and all values, run the forward inside mg.watch()."),
    walk.nodes.some(node => node.kind === "leaf") ? part("The gradients that are wanted", leaves(0)) : null,
    last ? null : ending(),
  ];
}

// ------------------------------------------------------------------------------------------------ how far it has come

const NOT_YET = walk.values.findIndex(known => known.status === "not yet");
const states = [new Map()]; // after each step: "id slot" -> {value, came, consumers}
walk.steps.forEach((step, i) => {
  const now = new Map(states[i]);
  step.upstreams.forEach((up, slot) => now.set(`${step.id} ${slot}`, { value: up.value, came: up.came, consumers: up.consumers }));
  for (const out of step.outgoing) {
    const edge = nodes.get(step.id).inputs.find(([parameter]) => parameter === out.parameter);
    now.set(`${out.to} ${edge[2]}`, { value: out.after, came: out.came, consumers: out.consumers });
  }
  states.push(now);
});
const standing = (at, id, slot) => states[at].get(`${id} ${slot}`) || { value: NOT_YET, came: 0, consumers: 0 };

function gradientText(node, at) {
  const each = node.outputs.map((_, slot) => standing(at, node.id, slot));
  const texts = each.map(state => state.came < state.consumers ? `${value(state.value).brief}, ${state.came} of ${state.consumers} in` : value(state.value).brief);
  const known = each.filter(state => state.value !== NOT_YET).length;
  if (!known) return ["not yet", false];
  return [new Set(texts).size > 1 ? `${known} of ${texts.length} outputs` : texts[0], true];
}

function boxState(box, at, over) {
  const steps = box.ops.map(id => stepOf.get(id) || Infinity);
  if (!steps.length) {
    const state = standing(at, box.id, 0);
    return box.kind === "leaf" && state.value !== NOT_YET && state.came === state.consumers ? "done" : "todo";
  }
  if (steps.includes(at) && !over) return "current";
  return steps.every(step => step <= at) ? "done" : "todo";
}

function boxGradient(box, at) {
  if (box.kind === "constant") return null;
  if (box.kind !== "fold") return gradientText(nodes.get(box.id), at);
  const done = box.ops.filter(id => stepOf.get(id) <= at).length;
  return done ? [`${done} of ${box.ops.length} ops done`, true] : ["not yet", false];
}

// ------------------------------------------------------------------------------------------------ the graph

function graph(unique) {
  const margin = 6;
  const picture = draw("svg", { width: walk.width + 2 * margin, height: walk.height + 2 * margin, role: "group", "aria-label": "boxes; press one to go to its step",
    viewBox: `${-margin} ${-margin} ${walk.width + 2 * margin} ${walk.height + 2 * margin}`, style: `min-width: ${Math.round(0.72 * walk.width)}px` });
  const marker = (id, colour) => draw("marker", { id, viewBox: "0 0 10 10", refX: 8.5, refY: 5, markerWidth: 8, markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto" },
    draw("path", { d: "M0 1 10 5 0 9z", style: `fill: var(${colour})` }));
  picture.append(draw("defs", {}, marker(`head${unique}`, "--edge"), marker(`flow${unique}`, "--accent"),
    draw("pattern", { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse" }, draw("path", { d: "M-1 1l2-2M0 6 6 0M5 7l2-2" }))));
  const arrows = walk.arrows.map(arrow => {
    const d = arrow.points.map(([x, y], i, all) => i ? `C${all[i - 1][0]} ${(all[i - 1][1] + y) / 2} ${x} ${(all[i - 1][1] + y) / 2} ${x} ${y}` : `M${x} ${y}`).join("");
    const line = draw("path", { class: "arrow", d, "marker-end": `url(#head${unique})` });
    picture.append(line);
    if (arrow.count > 1) {
      const [[before], [x, y]] = arrow.points.slice(-2);
      picture.append(draw("text", { class: "times", x: x + (before > x ? -8 : 8), y: y - 6, "text-anchor": before > x ? "end" : "start" }, `x${arrow.count}`));
    }
    return [arrow, line];
  });
  const boxes = walk.boxes.map(box => {
    const [left, top, line, inset] = [box.x - box.width / 2, box.y - box.height / 2, 17, 11];
    const row = i => top + 6 + line * (i + 0.72);
    const common = { x: left, y: top, width: box.width, height: box.height, rx: 7 };
    const says = draw("tspan", { class: "says", dx: 6 }, box.says);
    const group = draw("g", {}, draw("rect", { class: "ring", x: left - 4, y: top - 4, width: box.width + 8, height: box.height + 8, rx: 10 }),
      draw("rect", { class: "body", ...common }),
      draw("text", { x: left + inset, y: row(0) }, draw("tspan", { class: "name" }, box.name), box.says ? says : ""),
      draw("text", { x: left + inset, y: row(1) }, box.forward));
    let gradient = null, veil = null, patch = null;
    if (box.kind !== "constant") {
      const from = top + 6 + 2 * line, depth = box.height - 6 - 2 * line;
      veil = draw("path", { class: "veil", d: `M${left + 1} ${from}h${box.width - 2}v${depth - 8}q0 7 -7 7h${16 - box.width}q-7 0 -7 -7z` });
      patch = draw("rect", { class: "patch", x: left + inset - 4, y: from + 1, width: 94, height: depth - 4, rx: 3 });
      gradient = draw("text", { x: left + inset, y: row(2) });
      group.append(veil, patch, gradient);
    }
    picture.append(group);
    return [box, group, gradient, veil, patch];
  });
  function show(at, over = false) {
    const here = at && !over ? walk.steps[at - 1] : null;
    let current = null;
    for (const [box, group, gradient, veil, patch] of boxes) {
      const state = boxState(box, at, over), said = boxGradient(box, at);
      group.setAttribute("class", `box ${box.kind} ${state}`);
      if (state === "current") current = group;
      if (gradient) {
        const [text, known] = said;
        gradient.replaceChildren(known && box.kind !== "fold" ? draw("tspan", { class: "label" }, "grad ") : "", draw("tspan", { class: known ? "gradient" : "yet" }, known ? text : box.kind === "fold" ? "no op done yet" : "grad not yet"));
        for (const cover of [veil, patch]) cover.style.display = known ? "none" : "";
      }
      const target = box.ops.length ? Math.min(...box.ops.map(id => stepOf.get(id) || Infinity)) : Infinity;
      const words = { done: "done", current: "this step", todo: "not yet" }[state];
      group.setAttribute("aria-label", `${box.name} ${box.says}, ${box.forward}${said ? `, gradient ${said[0]}` : ""}, ${words}`);
      if (target !== Infinity && !unique) fill(group, { role: "button", tabindex: 0, "data-step": target }, []);
    }
    const me = here && walk.boxes.find(box => box.ops.includes(here.id));
    const sends = new Set(here ? here.outgoing.map(out => out.to) : []);
    for (const [arrow, line] of arrows) {
      const flows = me && arrow.to === me.id && [...sends].some(id => homes.get(id) === arrow.from);
      line.classList.toggle("flows", Boolean(flows));
      line.setAttribute("marker-end", `url(#${flows ? "flow" : "head"}${unique})`);
    }
    return current;
  }
  return { picture, show };
}

// ------------------------------------------------------------------------------------------------ the page

const find = id => document.getElementById(id);
const main = graph("");
let at = -1;

function spoken(position) {
  if (!position) return `Before the first of ${walk.total} steps. No gradient has been computed yet.`;
  const step = walk.steps[position - 1];
  return `Step ${position} of ${walk.total}: ${step.title}. ${step.outgoing.map(out => `${out.meaning} is ${value(out.gradient).text}`).join(". ")}`;
}

function go(position) {
  position = Math.max(0, Math.min(last, position));
  if (position === at) return;
  const first = at < 0;
  at = position;
  find("slider").value = at;
  find("slider").setAttribute("aria-valuetext", at ? `step ${at} of ${walk.total}, ${walk.steps[at - 1].title}` : "before the first step");
  find("where").textContent = at ? `Step ${at} of ${walk.total}` : `${walk.total} steps`;
  for (const id of ["first", "back"]) find(id).disabled = at === 0;
  for (const id of ["next", "last"]) find(id).disabled = at === last;
  find("details").replaceChildren(...(at ? stepPage(at, false) : beginning()).filter(Boolean));
  if (!first) find("live").textContent = spoken(at);
  const box = main.show(at);
  reveal(box, first);
  const article = find("details").getBoundingClientRect().top, bar = Math.max(0, find("graph").getBoundingClientRect().bottom);
  const small = matchMedia("(max-width: 820px)").matches;
  if (!first && article < (small ? bar - 4 : 0)) window.scrollTo({ top: small ? find("details").offsetTop - find("graph").parentElement.offsetHeight : 0 });
  keepAddress();
}

function keepAddress() {
  try {
    window.history.replaceState(null, "", at ? `#step=${at}` : "#");
  } catch { /* inside a notebook, a page has no address of its own */ }
}

function reveal(box, atOnce) {
  const frame = find("graph"), outer = frame.getBoundingClientRect();
  const inner = (box || main.picture.querySelector('[data-step="1"]') || main.picture).getBoundingClientRect();
  const calm = atOnce || matchMedia("(prefers-reduced-motion: reduce)").matches;
  frame.scrollBy({ left: inner.left + inner.width / 2 - outer.left - outer.width / 2, top: inner.top + inner.height / 2 - outer.top - outer.height / 2,
    behavior: calm ? "instant" : "smooth" });
}

function start() {
  find("title").append("Backprop of ", code(walk.title));
  find("slider").max = last;
  find("graph").append(main.picture);
  find("slider").addEventListener("input", event => go(Number(event.target.value)));
  const moves = { first: () => 0, back: () => at - 1, next: () => at + 1, last: () => last };
  for (const [id, to] of Object.entries(moves)) find(id).addEventListener("click", () => go(to()));
  const jump = event => {
    const box = event.target.closest("[data-step]");
    if (box) go(Number(box.dataset.step));
    return box;
  };
  find("graph").addEventListener("click", jump);
  find("graph").addEventListener("keydown", event => {
    if ((event.key === "Enter" || event.key === " ") && jump(event)) event.preventDefault();
  });
  const keys = { ArrowRight: moves.next, ArrowLeft: moves.back, Home: moves.first, End: moves.last };
  document.addEventListener("keydown", event => {
    const scrolls = event.target.closest && event.target.closest(".scroll");
    if (!keys[event.key] || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    if (event.target === find("slider") || (scrolls && scrolls.scrollWidth > scrolls.clientWidth)) return;
    event.preventDefault();
    go(keys[event.key]());
  });
  window.addEventListener("hashchange", fromAddress);
  window.addEventListener("beforeprint", printAll);
  window.addEventListener("afterprint", () => find("print").replaceChildren());
  fromAddress();
}

function fromAddress() {
  const wanted = /^#step=(\d+)$/.exec(window.location.hash);
  go(wanted ? Number(wanted[1]) : Math.max(at, 0));
}

function printAll() {
  const map = graph("-print");
  map.show(last, true);
  const steps = walk.steps.map((_, i) => make("article", {}, stepPage(i + 1, true)));
  find("print").replaceChildren(make("h1", {}, "Backprop of ", code(walk.title)), 
    make("div", { class: "map" }, map.picture, [...document.querySelectorAll(".legend")].map(legend => legend.cloneNode(true))), ...steps);
}

start();
