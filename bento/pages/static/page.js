// Asks for the form, scores what it states, and again whenever something moves. The latest answer wins.

import { sentence, showAnswer } from "./answer.js";
import { element, makeField } from "./fields.js";

const DEBOUNCE = 120; // ms
const AGAIN = 5000; // ms, where the service does not say when
const SAID_AFTER = 700; // ms of rest, so that a moving slider is not read out at each step

const place = (id) => document.getElementById(id);
const state = { form: null, fields: [], base: null, asking: null, timer: 0, saying: 0, answered: false };

async function start() {
  for (;;) {
    try {
      const answer = await fetch("/form.json");
      if (answer.ok) return build(await answer.json(), {});
      notice(`${(await answer.json()).detail} This page tries again by itself.`);
    } catch {
      notice("The service does not answer. This page tries again by itself.");
    }
    await new Promise((done) => setTimeout(done, AGAIN));
  }
}

/** Makes the fields; `values` that were stated before stay. */
function build(form, values) {
  state.form = form;
  document.title = `Loan service: ${form.portfolio}`;
  place("title").textContent = form.portfolio.replaceAll("_", " ");
  place("about").textContent =
    `${form.description} Model version ${form.model.version}: ${form.model.family.replaceAll("_", " ")}, ${form.model.features} features.`;
  state.fields = form.fields.map((about) => makeField(about, changed));
  for (const field of state.fields) if (field.about.name in values) field.set(values[field.about.name]);
  const read = state.fields.filter((field) => field.about.read);
  const others = state.fields.filter((field) => !field.about.read);
  place("fields").replaceChildren(...read.map((field) => field.element));
  place("more-fields").replaceChildren(...others.map((field) => field.element));
  place("more").hidden = others.length === 0;
  const count = others.length === 1 ? "One more column" : `${others.length} more columns`;
  place("more-title").textContent = `${count} that an application may state, and this model does not read`;
  const examples = [["Ordinary", ordinary(form)], ...Object.entries(form.examples).map(([risk, values]) => [`${risk} risk`, values])];
  place("examples").replaceChildren(element("span", { class: "quiet", text: "Fill in:" }), ...examples.map(([name, values]) => exampleButton(name, values)));
  notice("");
  place("main").hidden = false;
}

function ordinary(form) {
  return Object.fromEntries(form.fields.map((about) => [about.name, about.example]));
}

function exampleButton(name, values) {
  const button = element("button", { type: "button", class: "second small-button", text: name });
  button.addEventListener("click", () => setAll((about) => values[about.name]));
  return button;
}

function changed(how) {
  if (!state.answered && how !== "slid") return;
  clearTimeout(state.timer);
  state.timer = setTimeout(() => score(false), DEBOUNCE);
}

/** One application scored; `asked`: by the button, so that its answer is what later ones are compared with. */
async function score(asked) {
  clearTimeout(state.timer);
  state.asking?.abort();
  const asking = (state.asking = new AbortController());
  const wrong = state.fields.filter((field) => field.unreadable());
  for (const field of state.fields) field.problem(field.unreadable() || "");
  if (wrong.length) return refused(wrong, asked);
  place("answer").setAttribute("aria-busy", "true");
  try {
    const answer = await fetch("/api/v1/predict?explain=true", {
      method: "POST",
      headers: { "Content-Type": "application/json", ...keyHeader() },
      body: JSON.stringify(application()),
      signal: asking.signal,
    });
    const body = await answer.json();
    if (asking !== state.asking) return;
    if (answer.ok) await answered(body.data, asked);
    else failed(answer, body, asked);
  } catch (error) {
    if (error.name !== "AbortError") notice("The service does not answer. Score again in a moment.");
  } finally {
    if (asking === state.asking) place("answer").removeAttribute("aria-busy");
  }
}

function application() {
  const values = state.fields.map((field) => [field.about.name, field.value()]);
  return Object.fromEntries(values.filter(([, value]) => value !== undefined));
}

function keyHeader() {
  const key = place("key").value.trim();
  return key ? { "X-API-Key": key } : {};
}

async function answered(data, asked) {
  if (asked || !state.base || state.base.model_sha256 !== data.model_sha256) state.base = data;
  state.answered = true;
  notice("");
  keyProblem("");
  place("stale").hidden = true;
  if (data.model_sha256 !== state.form.model.sha256) await changeModel();
  showAnswer(state.form, data, state.base);
  say(sentence(data));
}

/** Another model answers: its form may have other fields. */
async function changeModel() {
  const answer = await fetch("/form.json");
  if (!answer.ok) return;
  const at = document.activeElement?.id;
  build(await answer.json(), application());
  if (at) place(at)?.focus();
  notice(`The model has changed: version ${state.form.model.version} answers now.`);
}

function failed(answer, problem, asked) {
  if (answer.status === 422 && problem.errors) {
    const byName = new Map(state.fields.map((field) => [field.about.name, field]));
    for (const error of problem.errors) byName.get(error.field)?.problem(error.detail);
    const named = new Set(problem.errors.map((error) => error.field));
    const wrong = state.fields.filter((field) => named.has(field.about.name)); // in the order of the form
    if (wrong.length) return refused(wrong, asked);
  }
  if (answer.status === 401 || answer.status === 403) return keyProblem(problem.detail, asked);
  notice(`${problem.detail} (request ${problem.request_id})`);
  if (answer.status === 429 || answer.status === 503) {
    const seconds = Number(answer.headers.get("Retry-After")) || AGAIN / 1000;
    state.timer = setTimeout(() => score(asked), 1000 * seconds);
  }
}

function refused(wrong, asked) {
  notice("");
  place("stale").hidden = !state.answered;
  if (wrong.some((field) => !field.about.read)) place("more").open = true;
  const told = wrong.map((field) => `${field.about.label} ${place(`${field.control.id}-problem`).textContent}`);
  say(`Not scored. ${told.join("; ")}`);
  if (asked) wrong[0].control.focus();
}

function keyProblem(text, asked) {
  place("key-problem").textContent = text;
  if (!text) return place("key").removeAttribute("aria-invalid");
  place("key-field").hidden = false;
  place("key").setAttribute("aria-invalid", "true");
  say(text);
  if (asked) place("key").focus();
}

function notice(text) {
  place("notice").textContent = text;
  place("notice").hidden = !text;
}

function say(text) {
  clearTimeout(state.saying);
  state.saying = setTimeout(() => (place("said").textContent = text), SAID_AFTER);
}

function setAll(valueOf) {
  for (const field of state.fields) field.set(valueOf(field.about));
  changed("typed");
}

place("form").addEventListener("submit", (event) => {
  event.preventDefault();
  score(true);
});
place("clear").addEventListener("click", () => setAll(() => null));

await start();
// Whether keys are needed is seen before anything is scored.
const info = await fetch("/api/v1/model/info").catch(() => null);
if (info?.status === 401) place("key-field").hidden = false;
