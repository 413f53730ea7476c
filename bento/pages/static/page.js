// Loads the form, scores its values, and scores them again after each change. The latest answer wins.
// Addresses are relative, so that the page works behind a proxy that adds a path.

import { sentence, showAnswer } from "./answer.js";
import { element, makeField } from "./fields.js";

const DEBOUNCE = 120; // ms
const RETRY = 5000; // ms, if the response has no Retry-After
const ANNOUNCE_DELAY = 700; // ms, so that screen readers do not read out each step of a slider

const byId = (id) => document.getElementById(id);
const state = { form: null, fields: [], base: null, request: null, timer: 0, announcing: 0, answered: false };

async function start() {
  for (;;) {
    try {
      const answer = await fetch("form.json");
      if (answer.ok) return build(await answer.json(), {});
      notice(`${(await answer.json()).detail} This page retries automatically.`);
    } catch {
      notice("The service is unavailable. This page retries automatically.");
    }
    await new Promise((done) => setTimeout(done, RETRY));
  }
}

/** Builds the fields. `values` that were entered before are kept. */
function build(form, values) {
  state.form = form;
  document.title = `Loan service: ${form.portfolio}`;
  byId("title").textContent = form.portfolio.replaceAll("_", " ");
  byId("about").textContent =
    `${form.description} Model version ${form.model.version}: ${form.model.family.replaceAll("_", " ")}, ${form.model.features} features.`;
  state.fields = form.fields.map((about) => makeField(about, changed));
  for (const field of state.fields) if (field.about.name in values) field.set(values[field.about.name]);
  const read = state.fields.filter((field) => field.about.read);
  const others = state.fields.filter((field) => !field.about.read);
  byId("fields").replaceChildren(...read.map((field) => field.element));
  byId("more-fields").replaceChildren(...others.map((field) => field.element));
  byId("more").hidden = others.length === 0;
  const count = others.length === 1 ? "1 more column" : `${others.length} more columns`;
  byId("more-title").textContent = `${count} of an application that this model does not use`;
  const examples = [["Ordinary", ordinary(form)], ...Object.entries(form.examples).map(([risk, values]) => [`${risk} risk`, values])];
  byId("examples").replaceChildren(element("span", { class: "quiet", text: "Fill in:" }), ...examples.map(([name, values]) => exampleButton(name, values)));
  notice("");
  byId("main").hidden = false;
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

/** Scores the application. After a click (`clicked`) later answers are compared with this one. */
async function score(clicked) {
  clearTimeout(state.timer);
  state.request?.abort();
  const request = (state.request = new AbortController());
  const wrong = state.fields.filter((field) => field.unreadable());
  for (const field of state.fields) field.problem(field.unreadable() || "");
  if (wrong.length) return showProblems(wrong, clicked);
  byId("answer").setAttribute("aria-busy", "true");
  try {
    const answer = await fetch("api/v1/predict?explain=true", {
      method: "POST",
      headers: { "Content-Type": "application/json", ...keyHeader() },
      body: JSON.stringify(application()),
      signal: request.signal,
    });
    const body = await answer.json();
    if (request !== state.request) return;
    if (answer.ok) await answered(body.data, clicked);
    else failed(answer, body, clicked);
  } catch (error) {
    if (error.name !== "AbortError") notice("The service is unavailable. Try again in a moment.");
  } finally {
    if (request === state.request) byId("answer").removeAttribute("aria-busy");
  }
}

function application() {
  const values = state.fields.map((field) => [field.about.name, field.value()]);
  return Object.fromEntries(values.filter(([, value]) => value !== undefined));
}

function keyHeader() {
  const key = byId("key").value.trim();
  return key ? { "X-API-Key": key } : {};
}

async function answered(data, clicked) {
  if (clicked || !state.base || state.base.model_sha256 !== data.model_sha256) state.base = data;
  state.answered = true;
  notice("");
  keyProblem("");
  byId("stale").hidden = true;
  if (data.model_sha256 !== state.form.model.sha256) await changeModel();
  showAnswer(state.form, data, state.base);
  announce(sentence(data));
}

/** Loads the form of the new model, which may have other fields. */
async function changeModel() {
  const answer = await fetch("form.json");
  if (!answer.ok) return;
  const at = document.activeElement?.id;
  build(await answer.json(), application());
  if (at) byId(at)?.focus();
  notice(`The model has changed: version ${state.form.model.version} answers now.`);
}

function failed(answer, problem, clicked) {
  if (answer.status === 422 && problem.errors) {
    const byName = new Map(state.fields.map((field) => [field.about.name, field]));
    for (const error of problem.errors) byName.get(error.field)?.problem(error.detail);
    const named = new Set(problem.errors.map((error) => error.field));
    const wrong = state.fields.filter((field) => named.has(field.about.name)); // in the order of the form
    if (wrong.length) return showProblems(wrong, clicked);
  }
  if (answer.status === 401 || answer.status === 403) return keyProblem(problem.detail, clicked);
  notice(`${problem.detail} (request ${problem.request_id})`);
  if (answer.status === 429 || answer.status === 503) {
    const seconds = Number(answer.headers.get("Retry-After")) || RETRY / 1000;
    state.timer = setTimeout(() => score(clicked), 1000 * seconds);
  }
}

function showProblems(wrong, clicked) {
  notice("");
  byId("stale").hidden = !state.answered;
  if (wrong.some((field) => !field.about.read)) byId("more").open = true;
  const problems = wrong.map((field) => `${field.about.label} ${byId(`${field.control.id}-problem`).textContent}`);
  announce(`Not scored. ${problems.join("; ")}`);
  if (clicked) wrong[0].control.focus();
}

function keyProblem(text, clicked) {
  byId("key-problem").textContent = text;
  if (!text) return byId("key").removeAttribute("aria-invalid");
  byId("key-field").hidden = false;
  byId("key").setAttribute("aria-invalid", "true");
  announce(text);
  if (clicked) byId("key").focus();
}

function notice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = !text;
}

function announce(text) {
  clearTimeout(state.announcing);
  state.announcing = setTimeout(() => (byId("said").textContent = text), ANNOUNCE_DELAY);
}

function setAll(valueOf) {
  for (const field of state.fields) field.set(valueOf(field.about));
  changed("typed");
}

byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  score(true);
});
byId("clear").addEventListener("click", () => setAll(() => null));

await start();
// Show the key field at once if the service requires a key.
const info = await fetch("api/v1/model/info").catch(() => null);
if (info?.status === 401) byId("key-field").hidden = false;
