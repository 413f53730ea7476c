// Builds the fields of the form from the contract. Texts of the contract are never used as markup.

const BOUNDS = { date: ["1900-01-01", "2100-12-31"] };
const numbers = new Intl.NumberFormat("en", { maximumFractionDigits: 6 });

export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "text") made.textContent = value;
    else made.setAttribute(key, value === true ? "" : String(value));
  }
  made.append(...children);
  return made;
}

/** Builds a field. `value()` returns its value, undefined if it is missing. `set` and `problem` change it. */
export function makeField(about, changed) {
  const id = `field-${about.name}`;
  const control = makeControl(about, id);
  const slider = about.slider && makeSlider(about, control, changed);
  const problem = element("p", { class: "problem", id: `${id}-problem` });
  const label = element("label", { for: id, id: `${id}-label`, text: about.label });
  if (about.required) label.append(" ", element("span", { class: "required", "aria-hidden": true, text: "*" }));
  const hint = element("p", { class: "hint", id: `${id}-hint` }, element("code", { text: about.name }), ...hints(about));
  const row = element("div", { class: "control" }, control);
  if (slider) row.append(slider);
  control.addEventListener("input", () => {
    if (slider) follow(slider, control, about);
    changed("typed");
  });

  function set(value) {
    control.value = value === undefined || value === null ? "" : String(value);
    if (slider) {
      slider.min = about.slider.minimum;
      slider.max = about.slider.maximum;
      follow(slider, control, about);
    }
    show("");
  }
  function show(text) {
    problem.textContent = text;
    if (text) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
  }
  set(about.example);
  return {
    about,
    control,
    element: element("div", { class: "field" }, label, row, hint, problem),
    unreadable: () => control.validity.badInput && `must be a ${about.type === "date" ? "date" : "number"}`,
    value: () => parse(about, control.value),
    set,
    problem: show,
  };
}

function parse(about, text) {
  if (text === "") return undefined;
  if (about.type === "number" || about.type === "integer") return Number(text);
  return about.type === "boolean" ? text === "true" : text;
}

function makeControl(about, id) {
  const described = { id, name: about.name, "aria-describedby": `${id}-hint ${id}-problem` };
  if (about.required) described["aria-required"] = "true";
  const choices = about.type === "boolean" ? [["true", "yes"], ["false", "no"]] : about.allowed?.map((word) => [word, word]);
  if (choices) {
    const options = choices.map(([value, text]) => element("option", { value, text }));
    return element("select", described, element("option", { value: "", text: "missing" }), ...options);
  }
  if (about.type === "date") {
    return element("input", { ...described, type: "date", min: BOUNDS.date[0], max: BOUNDS.date[1] });
  }
  if (about.type === "text") return element("input", { ...described, type: "text", spellcheck: "false" });
  const decimal = about.type === "number";
  const limits = { min: about.minimum, max: about.maximum, step: decimal ? "any" : 1 };
  return element("input", { ...described, ...limits, type: "number", inputmode: decimal ? "decimal" : "numeric" });
}

function makeSlider(about, control, changed) {
  const { minimum, maximum, step } = about.slider;
  const named = { "aria-label": `${about.label} – what-if slider`, "data-of": about.name };
  const slider = element("input", { type: "range", min: minimum, max: maximum, step, ...named });
  slider.addEventListener("input", () => {
    control.value = String(Number(Number(slider.value).toPrecision(10)));
    describe(slider, control);
    changed("slid");
  });
  return slider;
}

/** Moves the slider to the typed value. A value outside its range widens it, within the limits of the contract. */
function follow(slider, control, about) {
  const value = Number(control.value);
  const allowed = value >= (about.minimum ?? -Infinity) && value <= (about.maximum ?? Infinity);
  if (control.value !== "" && allowed) {
    if (value < Number(slider.min)) slider.min = String(value);
    if (value > Number(slider.max)) slider.max = String(value);
  }
  if (control.value !== "") slider.value = String(value);
  describe(slider, control);
}

function describe(slider, control) {
  slider.classList.toggle("unset", control.value === "");
  slider.setAttribute("aria-valuetext", control.value === "" ? "missing" : numbers.format(Number(control.value)));
  const width = Number(slider.max) - Number(slider.min);
  const share = width > 0 ? (Number(slider.value) - Number(slider.min)) / width : 0;
  slider.style.setProperty("--filled", `${100 * share}%`);
}

function hints(about) {
  const { minimum: low, maximum: high, unit } = about;
  const known = (bound) => bound !== null && bound !== undefined;
  const parts = [];
  if (unit) parts.push(unit);
  if (known(low) && known(high)) parts.push(`${numbers.format(low)} to ${numbers.format(high)}`);
  else if (known(low)) parts.push(`from ${numbers.format(low)}`);
  else if (known(high)) parts.push(`up to ${numbers.format(high)}`);
  if (about.protected) parts.push("protected: no model uses it");
  return parts.map((part) => ` · ${part}`);
}
