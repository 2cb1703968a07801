// The page of plywood-serve: draws a form from the fields of a model, sends it, and shows the answer.
// Names of models, fields and classes can be any text, HTML too: they are only ever set as text, never as markup.

const $ = (id) => document.getElementById(id);

/** Makes an element. Children that are strings become text; null is left out. */
function el(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.flat().filter((child) => child !== null));
  return element;
}

const hint = (text) => el("p", { className: "hint" }, text);
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
  if (response.ok && body) return body;
  const again = response.ok || response.status >= 500;
  throw fault(body?.error ?? `The server answered ${response.status}, but not in JSON.`, { again });
}

/** Shows an error in place of the answer; `retry` does again what failed. */
function report(error, retry) {
  clearAnswer();
  if (error.token) return askForToken(error.message, retry);
  const button = error.again ? el("button", { type: "button", onclick: retry }, "Try again") : "";
  $("error").replaceChildren(el("p", {}, error.message), button);
  $("error").hidden = false;
  $("result").scrollIntoView({ block: "nearest" });
}

function askForToken(reason, retry) {
  $("token-reason").textContent = reason;
  $("token").hidden = false;
  $("token-value").focus();
  $("token").onsubmit = (event) => {
    event.preventDefault();
    sessionStorage.setItem("token", $("token-value").value);
    $("token-value").value = "";
    retry();
  };
}

// -------------------------------------------------------------------------------------------------------------- models

/** Inputs are `{ field, element, read }` of each field; `read` returns its value, null if it is missing. */
let model = null, inputs = [];

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
      history.replaceState(null, "", `#${encodeURIComponent(model.name)}`); // A reload comes back to this model.
    };
    const isLinked = ({ name }) => `#${encodeURIComponent(name)}` === location.hash;
    const first = models.find(isLinked) ?? models.find(({ ready }) => ready) ?? models[0];
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
  stop();
  const fields = model.ready ? model.fields : [];
  const first = fields.find(isImage);
  inputs = fields.map((field, i) => (isImage(field) ? imageField(field, field === first) : plainField(field, i)));
  const button = sendsAtOnce() ? "" : el("button", { id: "predict", className: "main" }, "Predict");
  $("form").replaceChildren(el("div", { className: "fields" }, inputs.map((input) => input.element)), button);
  $("form").hidden = fields.length === 0;
  if (fields.length > 0) return;
  $("answer").textContent = model.ready
    ? "This model has no description of its inputs, so there is no form for it. It takes tensors, at /v2/models."
    : "This model is not loaded. Reload this page once the server has loaded it.";
}

// --------------------------------------------------------------------------------------------------------------- fields

const isImage = (field) => field.type === "image";
const sendsAtOnce = () => inputs.length === 1 && isImage(inputs[0].field);
const product = (shape) => shape.reduce((all, size) => all * size, 1);

/** A field that is typed or selected. */
function plainField(field, i) {
  let control, note = "", read = () => control.value.trim() || null;
  const words = field.type === "boolean" ? [field.no, field.yes] : field.categories ?? [];
  const options = words.map((value) => el("option", { value }, value || "(empty)"));
  const list = el("datalist", { id: `list-${i}` });
  if (field.type === "number") {
    control = el("input", { type: "number", step: "any" });
    read = () => (control.value ? Number(control.value) : null);
  } else if (field.type === "date" && field.format === "%Y-%m-%d") {
    control = el("input", { type: "date", max: "9999-12-31" }); // Years of four digits.
  } else if (field.type === "date") {
    const codes = { Y: "YYYY", y: "YY", m: "MM", d: "DD", H: "hh", M: "mm", S: "ss", b: "Jan", B: "January" };
    control = el("input", { placeholder: field.format.replace(/%(.)/g, (_, code) => codes[code] ?? code) });
  } else if (field.type === "boolean") {
    control = el("select", {}, el("option", { value: "" }, "missing"), options);
    read = () => [null, false, true][control.selectedIndex];
  } else if (field.type === "category" && options.length > 0 && options.length <= 30) {
    control = el("select", {}, el("option", { value: "" }, "missing"), options);
    read = () => (control.selectedIndex > 0 ? control.value : null);
  } else if (field.type === "category") {
    control = el("input");
    control.setAttribute("list", list.id);
    list.append(...options);
  } else if (field.type === "array") {
    control = el("textarea", { rows: product(field.shape) > 20 ? 6 : 2 });
    note = `numbers separated by commas, ${product(field.shape)} in all`;
    read = () => readArray(control.value, field);
  } else {
    control = el("textarea", { rows: model.fields.length === 1 ? 6 : 2, enterKeyHint: "send" });
    note = el("span", { className: "for-mouse" }, "Enter sends; Shift and Enter start a new line.");
    read = () => control.value || null;
  }
  Object.assign(control, { id: `field-${i}`, autocomplete: "off" }).dataset.field = field.name;
  control.setAttribute("aria-describedby", `hint-${i}`);
  const label = el("label", { htmlFor: control.id }, field.name || field.type);
  const below = Object.assign(hint(note), { id: `hint-${i}` });
  return { field, element: el("div", { className: "field" }, label, control, list, below), read };
}

/** "1, 2, 3, 4" for the shape 2 x 2 as [[1, 2], [3, 4]]. With too few or too many numbers the server says so. */
function readArray(text, field) {
  const words = text.split(/[\s,;[\]]+/).filter((word) => word !== "");
  const wrong = words.find((word) => !Number.isFinite(Number(word)));
  if (wrong) throw fault(`“${wrong}” in “${field.name}” is not a number. Write numbers as in 1.5, 2, -3.`);
  let list = words.map(Number);
  const parts = (size) => Array.from({ length: list.length / size }, (_, i) => list.slice(i * size, (i + 1) * size));
  if (list.length === product(field.shape)) for (const size of field.shape.slice(1).reverse()) list = parts(size);
  return words.length > 0 ? list : null;
}

/** A photo or a drawing, whichever came last. The first image of a model has the ids. */
function imageField(field, isFirst) {
  const element = $("image-field").content.firstElementChild.cloneNode(true);
  const part = (name) => element.querySelector(`.${name}`);
  const [drop, file, preview, invert] = ["drop", "file", "preview", "invert"].map(part);
  if (isFirst) for (const name of ["drop", "file", "draw", "clear"]) part(name).id = name;
  const colours = field.colours === "grey" ? "grey" : "colour";
  element.classList.add(colours);
  part("field-name").textContent = field.name || "image";
  part("size").textContent = `${colours}, ${field.width} × ${field.height}`;
  part("dark-hint").hidden = field.height !== 28 || field.width !== 28 || colours !== "grey" || field.inverted;
  part("drawing").open = colours === "grey"; // Models of colours seldom know drawings.
  part("draw").ariaLabel = `Pad to draw ${field.name || "an image"}`;
  file.dataset.field = field.name;
  preview.onload = () => {
    URL.revokeObjectURL(preview.src);
    preview.classList.toggle("small", preview.naturalWidth < 100);
  };
  let source = null, photo = null, turn = 0;

  const read = () => photo ?? pad.read();
  const changed = () => {
    if (sendsAtOnce()) read() ? predict({ scroll: photo !== null }) : stop();
  };
  /** Shows a photo as it is sent; null shows the invitation. */
  const show = (sent) => {
    photo = sent;
    preview.hidden = part("of-photo").hidden = sent === null;
    part("invitation").hidden = sent !== null;
    preview.alt = drop.title = sent?.name ?? "";
    if (sent) preview.src = URL.createObjectURL(sent);
  };
  const withoutPhoto = () => {
    turn += 1;
    source = null;
    show(null);
    changed();
  };
  const pad = drawingPad(field, part, withoutPhoto);
  const take = async (chosen) => {
    const mine = (turn += 1);
    try {
      const sent = await readable(chosen, invert.ariaPressed === "true", field);
      if (mine !== turn) return; // Another came after it.
      source = chosen;
      show(sent);
      pad.empty();
      changed();
    } catch (error) {
      stop();
      report(error);
    }
  };
  invert.onclick = () => {
    invert.ariaPressed = `${invert.ariaPressed !== "true"}`;
    take(source);
  };
  part("remove").onclick = withoutPhoto;
  file.onchange = () => {
    if (file.files[0]) take(file.files[0]);
    file.value = ""; // The same file can be chosen again.
  };
  for (const type of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(type, () => drop.classList.toggle("over", type === "dragover"));
  }
  drop.ondrop = ({ dataTransfer: { files } }) => files[0] && take(files[0]);
  return { field, element, read };
}

/** The server reads PNG and JPEG files. What else the browser can read, and large photos, are made smaller PNGs here. */
async function readable(file, inverted, { height: tall, width: wide }) {
  if (["image/png", "image/jpeg"].includes(file.type) && file.size < 2e6 && !inverted) return file;
  const bitmap = await createImageBitmap(file).catch(() => {
    throw fault(`“${file.name}” is not a picture that this browser can read. Choose a PNG or JPEG file.`);
  });
  const scale = Math.min(1, Math.max(1200, tall, wide) / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map((size) => Math.max(1, Math.round(size * scale)));
  const canvas = el("canvas", { width, height });
  const pen = canvas.getContext("2d");
  Object.assign(pen, { imageSmoothingQuality: "high", fillStyle: "white" });
  if (inverted) pen.fillRect(0, 0, width, height); // By default the server lays what is transparent on white, too.
  pen.drawImage(bitmap, 0, 0, width, height);
  pen.globalCompositeOperation = "difference"; // White less the picture.
  if (inverted) pen.fillRect(0, 0, width, height);
  return new File([png(canvas)], file.name, { type: "image/png" });
}

/** Not by `toBlob`, which waits for an idle moment: an answer is due after each stroke. */
function png(canvas) {
  const bytes = atob(canvas.toDataURL("image/png").split(",")[1]);
  return new Blob([Uint8Array.from(bytes, (byte) => byte.charCodeAt(0))], { type: "image/png" });
}

/** A canvas and a pen: light on dark, as the pictures of Fashion-MNIST are, or dark on light if the model inverts them. */
function drawingPad(field, part, changed) {
  const canvas = part("draw");
  const height = Math.min(560, Math.max(70, Math.round((280 * field.height) / field.width)));
  Object.assign(canvas, { width: 280, height });
  const pen = canvas.getContext("2d", { alpha: false });
  let strokes = [], pointer = null;
  const set = (next) => {
    strokes = next;
    const [paper, ink] = field.inverted ? ["white", "black"] : ["black", "white"];
    Object.assign(pen, { fillStyle: paper, strokeStyle: ink });
    pen.fillRect(0, 0, canvas.width, canvas.height);
    Object.assign(pen, { lineWidth: 22, lineCap: "round", lineJoin: "round" });
    for (const points of strokes) {
      pen.beginPath();
      for (const point of [points[0], ...points]) pen.lineTo(...point);
      pen.stroke();
    }
    part("draw-hint").hidden = strokes.length > 0;
    part("undo").disabled = part("clear").disabled = strokes.length === 0;
  };
  const draw = (event) => {
    const scale = canvas.width / canvas.clientWidth;
    strokes.at(-1).push([event.offsetX * scale, event.offsetY * scale]);
    set(strokes);
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
  const edit = (next) => {
    set(next);
    changed();
  };
  part("undo").onclick = () => edit(strokes.slice(0, -1));
  part("clear").onclick = () => edit([]);
  set([]);
  return { empty: () => set([]), read: () => (strokes.length > 0 ? png(canvas) : null) };
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
    const path = `v1/predict/${encodeURIComponent(model.name)}?top=5`;
    $("answer").setAttribute("aria-busy", "true");
    const start = performance.now();
    const reply = await call(path, { method: "POST", signal, ...requestOf() });
    if (signal.aborted) return;
    clearAnswer();
    showAnswer(reply.answers[0]);
    $("time").textContent = `Answered in ${Math.round(performance.now() - start)} ms, there and back.`;
    if (scroll) $("result").scrollIntoView({ block: "nearest" }); // On a phone it is below the form.
  } catch (error) {
    if (!signal.aborted) report(error, () => predict({ scroll }));
  }
}

/** The body for the inputs, and its type. */
function requestOf() {
  const values = inputs.map(({ read }) => read());
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
  $("error").hidden = $("token").hidden = true;
  $("answer").replaceChildren(hint("The answer appears here."));
  $("answer").removeAttribute("aria-busy");
  $("time").textContent = "";
}

function showAnswer({ outputs, notes = [], ...alone }) {
  const parts = outputs
    ? Object.entries(outputs).map(([name, value]) => el("section", {}, el("h2", {}, name), showOutput(value, name)))
    : [el("section", {}, showOutput(alone, model.outputs[0]?.name))];
  const list = el("ul", {}, notes.map((note) => el("li", {}, note)));
  const done = el("section", { className: "notes" }, el("h2", {}, "Notes on the input"), list);
  $("answer").replaceChildren(...parts, notes.length > 0 ? done : "");
}

/** The elements for a value, whose form is known from its entries. */
function showOutput(value, name) {
  const headline = (...text) => el("p", { className: "headline" }, ...text);
  if (value.ranked) {
    const items = value.ranked.map((item) => [item.class, item.probability, item.class === value.class]);
    const why = value.class === null ? hint("No class is probable enough. These come closest:") : null;
    return [headline(value.class ?? "none"), why, bars(items)];
  }
  if (value.probabilities) {
    const above = new Set(value.labels);
    const items = value.probabilities.map(({ label, probability }) => [label, probability, above.has(label), "✓ "]);
    items.sort((a, b) => b[2] - a[2] || b[1] - a[1]);
    const shown = items.slice(0, Math.max(10, above.size));
    const rest = items.length > shown.length ? hint(`and ${items.length - shown.length} less probable`) : null;
    return [headline(value.labels.join(", ") || "none"), bars(shown), rest];
  }
  const { names = [] } = model.outputs.find((output) => output.name === name) ?? {};
  if ("number" in value) {
    const caption = names[0] && names[0] !== name ? el("h2", {}, names[0]) : null;
    return [caption, headline(digits(value.number), el("span", { className: "unit" }, ` ${value.unit ?? ""}`))];
  }
  if (value.numbers) {
    const row = ([key, x], i) => el("div", {},
      el("dt", {}, Array.isArray(value.numbers) ? `${i + 1}` : key), el("dd", {}, `${digits(x)} ${value.unit ?? ""}`.trim()));
    return [el("dl", {}, Object.entries(value.numbers).map(row))];
  }
  return [el("pre", {}, JSON.stringify(value, null, 2))]; // A form that this page does not know.
}

/** A list of name, probability, whether it is part of the answer, and the mark for it. */
function bars(items) {
  return el("ol", { className: "bars" }, items.map(([name, probability, marked, mark = ""]) => {
    const fill = el("div");
    fill.style.width = `${100 * probability}%`;
    return el("li", { className: marked ? "marked" : "" }, el("span", {}, marked ? mark : "", name),
      el("span", { className: "percent" }, `${(100 * probability).toFixed(1)}%`), el("div", { className: "bar" }, fill));
  }));
}

/** Six digits, as the library prints numbers. */
function digits(x) {
  if (x === null) return "none";
  if (x !== 0 && (Math.abs(x) < 1e-4 || Math.abs(x) >= 1e15)) return x.toExponential(5);
  return x.toLocaleString("en-GB", { maximumSignificantDigits: 6 });
}

$("form").onsubmit = (event) => {
  event.preventDefault();
  if (!sendsAtOnce()) predict({ scroll: true });
};
$("form").onkeydown = (event) => {
  // Enter that ends the composition of a character is not meant for the form.
  if (event.target.tagName !== "TEXTAREA" || event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("form").requestSubmit();
};
// A photo that misses the drop zone would otherwise replace the page. Text can still be dragged into a field.
for (const type of ["dragover", "drop"]) {
  window.addEventListener(type, (event) => event.dataTransfer?.types.includes("Files") && event.preventDefault());
}
loadModels();
