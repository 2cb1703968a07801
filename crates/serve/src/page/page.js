// The page of plywood-serve: draws a form from the fields of a model, sends it, and shows the answer.
//
// Names of models, fields and classes can be any text, HTML too: they are only ever set as text, never as markup.

const $ = (id) => document.getElementById(id);

/** Makes an element. Children that are strings become text; null is left out. */
function el(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.flat().filter((child) => child !== null));
  return element;
}

/** An error whose message is shown as it is. `again`: trying once more may help; `token`: one is needed. */
const fault = (message, more) => Object.assign(new Error(message), more);

// ---------------------------------------------------------------------------------------------------------- the server

/** Fetches JSON. Paths are relative, so that the page also works below a path of a proxy. */
async function call(path, options = {}) {
  const token = sessionStorage.getItem("token");
  const headers = { ...options.headers, ...(token && { Authorization: `Bearer ${token}` }) };
  const response = await fetch(path, { ...options, headers }).catch(() => {
    throw fault("The server cannot be reached. Check that it is running and that you are connected.", { again: true });
  });
  const body = await response.json().catch(() => null);
  if (response.status === 401) {
    throw fault(token ? "The server did not accept this token." : "This server asks for a token.", { token: true });
  }
  const again = response.status >= 500;
  if (!response.ok) throw fault(body?.error ?? `The server answered ${response.status} and gave no reason.`, { again });
  if (body === null) throw fault("The server's answer is incomplete, or is not JSON.", { again: true });
  return body;
}

/** Shows an error in place of the answer; `retry` does again what failed. */
function report(error, retry) {
  clearAnswer();
  if (error.token) return askForToken(error.message, retry);
  const button = error.again ? el("button", { type: "button", textContent: "Try again", onclick: retry }) : null;
  $("error").replaceChildren(el("p", {}, error.message), ...(button ? [button] : []));
  $("error").hidden = $("answer").hidden = false;
  $("answer").replaceChildren();
  intoView();
}

function askForToken(reason, retry) {
  $("token-reason").textContent = reason;
  $("token").hidden = false;
  $("token-value").focus();
  $("token").onsubmit = (event) => {
    event.preventDefault();
    const token = $("token-value").value.trim();
    // A header takes no other characters, and the browser's own message would not say so.
    if (!/^[\x21-\x7e]+$/.test(token)) {
      $("token-reason").textContent = "A token is made of ASCII letters, digits and signs, without spaces.";
      return;
    }
    sessionStorage.setItem("token", token);
    $("token-value").value = "";
    $("token").hidden = true;
    retry();
  };
}

// -------------------------------------------------------------------------------------------------------------- models

let model = null;
/** `{ field, read }` of each field; `read` returns its value, or a promise of it, or null if it is missing. */
let inputs = [];

async function loadModels() {
  try {
    clearAnswer();
    const { models } = await call("v1/models");
    if (models.length === 0) throw fault("The server has no models.", { again: true });
    const label = ({ name, ready }) => (ready ? name : `${name} (not loaded)`);
    $("models").replaceChildren(...models.map((one) => el("option", { value: one.name, textContent: label(one) })));
    $("chooser").hidden = models.length === 1;
    $("models").onchange = () => {
      choose(models[$("models").selectedIndex]);
      // A reload and a copied link come back to this model.
      history.replaceState(null, "", `#${encodeURIComponent(model.name)}`);
    };
    const linked = models.find(({ name }) => `#${encodeURIComponent(name)}` === location.hash);
    const first = linked ?? models.find(({ ready }) => ready) ?? models[0];
    $("models").selectedIndex = models.indexOf(first);
    choose(first);
  } catch (error) {
    report(error, loadModels);
  }
}

function choose(chosen) {
  model = chosen;
  document.title = `Plywood: ${model.name}`;
  $("name").textContent = $("name").title = model.name;
  $("version").textContent = model.version ? `version ${model.version}` : "";
  $("token").hidden = true;
  stop();
  const fields = model.ready ? model.fields : [];
  const firstImage = fields.findIndex(isImage);
  inputs = fields.map((field, i) => (isImage(field) ? imageField(field, i === firstImage) : plainField(field, i)));
  const button = sendsAtOnce() ? null : el("button", { id: "predict", className: "main" }, "Predict");
  $("form").replaceChildren(el("div", { className: "fields" }, inputs.map((input) => input.element)), button ?? "");
  $("form").hidden = fields.length === 0;
  if (fields.length > 0) return;
  $("answer").textContent = model.ready
    ? "This model was saved without a description of its inputs, so there is no form for it. It takes tensors, at /v2/models."
    : "This model is not loaded. Reload this page once the server has loaded it.";
}

// --------------------------------------------------------------------------------------------------------------- fields

const isImage = (field) => field.type === "image";
const sendsAtOnce = () => inputs.length === 1 && isImage(inputs[0].field);
const product = (shape) => shape.reduce((all, size) => all * size, 1);

/** A field that is typed or selected. */
function plainField(field, i) {
  let control, hint = "", list = null, read = () => control.value.trim() || null;
  const select = (missing, words) => el("select", {}, el("option", { value: "" }, missing),
    words.map((word) => el("option", { value: word }, word || "(empty)")));
  const options = field.categories ?? [];

  if (field.type === "number") {
    control = el("input", { type: "number", step: "any" });
    read = () => (control.value === "" ? null : Number(control.value));
  } else if (field.type === "boolean") {
    control = select("unknown", [field.no, field.yes]);
    read = () => [null, false, true][control.selectedIndex];
  } else if (field.type === "date") {
    const codes = { Y: "YYYY", y: "YY", m: "MM", d: "DD", H: "hh", M: "mm", S: "ss", b: "Jan", B: "January" };
    control = el("input", { placeholder: field.format.replace(/%(.)/g, (_, code) => codes[code] ?? code) });
  } else if (field.type === "category" && options.length > 0 && options.length <= 30) {
    control = select("missing", options);
    read = () => (control.selectedIndex > 0 ? control.value : null);
  } else if (field.type === "category") {
    control = el("input");
    list = el("datalist", { id: `list-${i}` }, options.map((value) => el("option", { value })));
    control.setAttribute("list", list.id);
    if (options.length > 0) hint = `one of ${options.length}`;
  } else if (field.type === "array") {
    control = el("textarea", { rows: 2 });
    const count = product(field.shape);
    hint = `${count} ${count === 1 ? "number" : "numbers, with commas between them"}`;
    read = () => readArray(control.value, field);
  } else {
    control = el("textarea", { rows: model.fields.length === 1 ? 6 : 2 });
    hint = "Enter sends; Shift and Enter start a new line.";
    read = () => control.value || null;
  }
  const wide = control.tagName === "TEXTAREA";
  if (wide) control.onkeydown = (event) => {
    // The Enter that ends the composition of a character is not meant for the form.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    $("form").requestSubmit();
  };
  Object.assign(control, { id: `field-${i}`, autocomplete: "off" }).dataset.field = field.name;
  control.setAttribute("aria-describedby", `hint-${i}`);
  const element = el("div", { className: wide ? "field wide" : "field" },
    el("label", { htmlFor: control.id }, field.name || field.type), control, list,
    hint ? el("p", { className: "hint", id: `hint-${i}` }, hint) : null);
  return { field, element, read };
}

/** "1, 2, 3, 4" for the shape 2 x 2 as [[1, 2], [3, 4]]. With too few or too many numbers the server says so. */
function readArray(text, field) {
  const words = text.split(/[\s,;[\]]+/).filter((word) => word !== "");
  const wrong = words.find((word) => !Number.isFinite(Number(word)));
  if (wrong !== undefined) throw fault(`“${wrong}” in “${field.name}” is no number. Write them as in 1.5, 2, -3.`);
  if (words.length === 0) return null;
  const nest = (numbers, [, ...inner]) => {
    const size = product(inner);
    const part = (start) => nest(numbers.slice(start, start + size), inner);
    return inner.length === 0 ? numbers : numbers.flatMap((_, i) => (i % size === 0 ? [part(i)] : []));
  };
  const numbers = words.map(Number);
  return numbers.length === product(field.shape) ? nest(numbers, field.shape) : numbers;
}

/** A photo or a drawing, whichever came last. The first image of a model has the ids. */
function imageField(field, isFirst) {
  const id = (name) => (isFirst ? { id: name } : {});
  let photo = null;
  const file = el("input", { type: "file", accept: "image/*", ...id("file") });
  file.dataset.field = field.name;
  file.setAttribute("aria-label", `Photo: ${field.name}`);
  const invitation = el("span", {},
    el("span", { className: "for-mouse" }, "Drop a photo here, or ", el("u", {}, "choose one")),
    el("u", { className: "for-touch" }, "Take or choose a photo"));
  const preview = el("img", { onload: () => URL.revokeObjectURL(preview.src) });
  const drop = el("label", { className: "drop", ...id("drop") }, file, invitation, preview);
  const remove = el("button", { type: "button", onclick: () => take(null) }, "Remove");
  const pad = drawingPad(field, id, () => {
    show(null);
    changed();
  });

  const read = () => photo ?? pad.read();
  const changed = () => {
    if (!sendsAtOnce()) return;
    if (read() === null) stop();
    else predict({ scroll: photo !== null });
  };
  const show = (blob) => {
    photo = blob;
    preview.hidden = remove.hidden = blob === null;
    invitation.hidden = !preview.hidden;
    preview.alt = drop.title = blob?.name ?? "";
    if (blob) preview.src = URL.createObjectURL(blob);
  };
  const take = async (chosen) => {
    try {
      show(chosen && (await readable(chosen)));
      pad.empty();
      changed();
    } catch (error) {
      stop();
      report(error);
    }
  };
  file.onchange = () => {
    if (file.files[0]) take(file.files[0]);
    file.value = ""; // The same file can be chosen again.
  };
  drop.ondragover = () => drop.classList.add("over");
  drop.ondragleave = () => drop.classList.remove("over");
  drop.ondrop = ({ dataTransfer }) => {
    drop.classList.remove("over");
    if (dataTransfer.files[0]) take(dataTransfer.files[0]);
  };
  show(null);

  const colours = field.colours === "grey" ? "grey" : "colour";
  const element = el("fieldset", { className: `field wide image ${colours}` },
    el("legend", {}, field.name || "image", el("span", { className: "hint" }, ` ${colours}, ${field.width} × ${field.height}`)),
    el("div", {}, drop, el("div", { className: "row" }, remove)), pad.element);
  return { field, element, read };
}

/** The server reads PNG and JPEG; what else the browser can read is made a PNG here. */
async function readable(file) {
  if (["image/png", "image/jpeg"].includes(file.type)) return file;
  const bitmap = await createImageBitmap(file).catch(() => {
    throw fault(`“${file.name}” is no picture that this browser can read. Choose a PNG or JPEG file.`);
  });
  const canvas = el("canvas", { width: bitmap.width, height: bitmap.height });
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  return new File([png(canvas)], file.name, { type: "image/png" });
}

/** Not by `toBlob`, which waits for an idle moment: an answer is due after each stroke. */
function png(canvas) {
  const bytes = atob(canvas.toDataURL("image/png").split(",")[1]);
  return new Blob([Uint8Array.from(bytes, (byte) => byte.charCodeAt(0))], { type: "image/png" });
}

/** A canvas and a pen, light on dark, as the pictures of Fashion-MNIST and MNIST are. */
function drawingPad(field, id, changed) {
  const height = Math.min(560, Math.max(70, Math.round((280 * field.height) / field.width)));
  const canvas = el("canvas", { width: 280, height, ...id("draw") }, "A pad to draw on.");
  const invitation = el("span", {}, "or draw it here");
  const pen = canvas.getContext("2d", { alpha: false });
  let strokes = [], pointer = null;

  const redraw = () => {
    pen.fillRect(0, 0, canvas.width, canvas.height); // Black is the fill of a new canvas.
    Object.assign(pen, { strokeStyle: "white", lineWidth: 22, lineCap: "round", lineJoin: "round" });
    for (const points of strokes) {
      pen.beginPath();
      pen.moveTo(...points[0]);
      for (const point of points) pen.lineTo(...point);
      pen.stroke();
    }
    invitation.hidden = strokes.length > 0;
    undo.disabled = clear.disabled = strokes.length === 0;
  };
  const set = (next) => {
    strokes = next;
    redraw();
  };
  const button = (text, next, more) =>
    el("button", { type: "button", onclick: () => { set(next()); changed(); }, ...more }, text);
  const undo = button("Undo", () => strokes.slice(0, -1));
  const clear = button("Clear", () => [], id("clear"));

  const draw = (event) => {
    const scale = canvas.width / canvas.clientWidth;
    strokes.at(-1).push([event.offsetX * scale, event.offsetY * scale]);
    redraw();
  };
  canvas.onpointerdown = (event) => {
    if (event.button !== 0 || pointer !== null) return; // A second finger does not draw.
    pointer = event.pointerId;
    canvas.setPointerCapture(pointer);
    strokes.push([]);
    draw(event);
  };
  canvas.ontouchstart = (event) => event.preventDefault(); // Else a quick stroke swallows the tap that follows.
  canvas.onpointermove = (event) => event.pointerId === pointer && draw(event);
  // Comes when the pen is lifted, and when the browser takes the pointer away.
  canvas.onlostpointercapture = () => {
    pointer = null;
    changed();
  };
  redraw();
  const pad = el("div", {}, el("div", { className: "pad" }, canvas, invitation), el("div", { className: "row" }, undo, clear));
  // Models of colours seldom know drawings.
  const element = field.colours === "grey" ? pad : el("details", {}, el("summary", {}, "Draw"), pad);
  return { element, empty: () => set([]), read: () => (strokes.length > 0 ? png(canvas) : null) };
}

// ------------------------------------------------------------------------------------------------------------- sending

let running = new AbortController();

/** Ends what is under way, which would answer an older input. */
function stop() {
  running.abort();
  clearAnswer();
}

async function predict({ scroll }) {
  running.abort();
  const { signal } = (running = new AbortController());
  try {
    const request = await requestOf();
    $("answer").setAttribute("aria-busy", "true");
    const start = performance.now();
    const reply = await call(`v1/predict/${encodeURIComponent(model.name)}?top=5`, { method: "POST", signal, ...request });
    if (signal.aborted) return;
    clearAnswer();
    showAnswer(reply.answers[0]);
    $("time").textContent = `Answered in ${Math.round(performance.now() - start)} ms, there and back.`;
    if (scroll) intoView();
  } catch (error) {
    if (!signal.aborted) report(error, () => predict({ scroll }));
  }
}

/** The body for the inputs, and its type. */
async function requestOf() {
  const values = await Promise.all(inputs.map(({ read }) => read()));
  if (sendsAtOnce()) return { body: values[0], headers: { "Content-Type": values[0].type } };
  if (!model.fields.some(isImage)) {
    // fromEntries makes a plain entry of any name, "__proto__" too.
    const row = Object.fromEntries(model.fields.map(({ name }, i) => [name, values[i]]));
    return { body: JSON.stringify({ row }), headers: { "Content-Type": "application/json" } };
  }
  const body = new FormData(); // The browser sets its type, with the boundary.
  for (const [i, { name, no, yes }] of model.fields.entries()) {
    const value = values[i];
    if (value instanceof Blob) body.append(name, value, "image");
    else if (typeof value === "boolean") body.append(name, value ? yes : no);
    else body.append(name, Array.isArray(value) ? JSON.stringify(value) : value ?? "");
  }
  return { body };
}

// -------------------------------------------------------------------------------------------------------------- answer

function clearAnswer() {
  $("error").hidden = true;
  $("answer").replaceChildren(el("p", { className: "hint" }, "The answer appears here."));
  $("answer").removeAttribute("aria-busy");
  $("time").textContent = "";
}

/** On a phone the answer is below the form. */
function intoView() {
  const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
  $("result").scrollIntoView({ block: "nearest", behavior });
}

function showAnswer({ outputs, notes = [], ...alone }) {
  const parts = outputs
    ? Object.entries(outputs).map(([name, value]) => el("section", {}, el("h2", {}, name), showOutput(value, name)))
    : [el("section", {}, showOutput(alone, model.outputs[0]?.name))];
  if (notes.length > 0) {
    const list = el("ul", {}, notes.map((note) => el("li", {}, note)));
    parts.push(el("section", { className: "notes" }, el("h2", {}, "What was done to the input"), list));
  }
  $("answer").replaceChildren(...parts);
}

/** The elements for a value, whose form is known from its entries. */
function showOutput(value, name) {
  const headline = (...text) => el("p", { className: "headline" }, ...text);
  const hint = (text) => el("p", { className: "hint" }, text);
  if (value.ranked) {
    const none = value.class === null;
    const items = value.ranked.map((item) => [item.class, item.probability, item.class === value.class]);
    return [headline(value.class ?? "none"), none ? hint("No class is probable enough. The closest:") : null, bars(items)];
  }
  if (value.probabilities) {
    const above = new Set(value.labels);
    const items = value.probabilities.map(({ label, probability }) => [label, probability, above.has(label), "✓ "]);
    items.sort((a, b) => b[2] - a[2] || b[1] - a[1]);
    const shown = items.slice(0, Math.max(10, above.size));
    const rest = items.length - shown.length;
    return [headline(value.labels.join(", ") || "none"), bars(shown), rest ? hint(`and ${rest} less probable`) : null];
  }
  const { names = [], units = [] } = model.outputs.find((output) => output.name === name) ?? {};
  if ("number" in value) {
    const caption = names[0] && names[0] !== name ? el("h2", {}, names[0]) : null;
    return [caption, headline(digits(value.number), el("span", { className: "unit" }, ` ${value.unit ?? ""}`))];
  }
  if (value.numbers) {
    const label = (key) => (Array.isArray(value.numbers) ? `${Number(key) + 1}` : key);
    return [el("dl", {}, Object.entries(value.numbers).map(([key, x], i) =>
      el("div", {}, el("dt", {}, label(key)), el("dd", {}, `${digits(x)} ${units[i] ?? ""}`))))];
  }
  return [el("pre", {}, JSON.stringify(value, null, 2))]; // A form that this page does not know.
}

/** A list of name, probability, whether it is part of the answer, and the mark for it. */
function bars(items) {
  return el("ol", { className: "bars" }, items.map(([name, probability, marked, mark = ""]) => {
    const fill = el("div");
    fill.style.width = `${100 * probability}%`;
    return el("li", { className: marked ? "marked" : "" }, el("span", {}, marked ? mark : "", name),
      el("span", { className: "percent" }, percent(probability)), el("div", { className: "bar" }, fill));
  }));
}

function percent(probability) {
  const text = `${(100 * probability).toFixed(1)}%`;
  if (text === "0.0%" && probability > 0) return "<0.1%";
  return text === "100.0%" && probability < 1 ? ">99.9%" : text;
}

/** Six digits, as the library prints numbers. */
function digits(x) {
  if (x === null) return "none";
  if (x !== 0 && (Math.abs(x) < 1e-4 || Math.abs(x) >= 1e15)) return x.toExponential(5);
  return x.toLocaleString("en-GB", { maximumSignificantDigits: 6 });
}

// --------------------------------------------------------------------------------------------------------------- start

$("form").onsubmit = (event) => {
  event.preventDefault();
  if (!sendsAtOnce()) predict({ scroll: true });
};
// A photo that misses the drop zone would otherwise replace the page. Text can still be dragged into a field.
for (const type of ["dragover", "drop"]) {
  window.addEventListener(type, (event) => event.dataTransfer?.types.includes("Files") && event.preventDefault());
}
loadModels();
