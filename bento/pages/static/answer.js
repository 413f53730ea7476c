// Shows the answer: decision, probability on a scale, and reasons as bars and as a table.

import { element } from "./fields.js";

const DECISIONS = { approve: "Approved", refer: "Referred to a person", decline: "Declined" };
const MIN_SCALE = 10; // points, so that small reasons do not look large
const percent = new Intl.NumberFormat("en", { style: "percent", minimumFractionDigits: 2, maximumFractionDigits: 2 });
const short = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const money = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const points = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const byId = (id) => document.getElementById(id);

/** Shows the answer and its difference from the answer `base`. */
export function showAnswer(form, data, base) {
  byId("nothing").hidden = true;
  byId("answered").hidden = false;
  const decision = byId("decision");
  decision.textContent = DECISIONS[data.decision];
  decision.className = `decision ${data.decision}`;
  byId("probability").textContent = percent.format(data.probability);
  byId("change").textContent = changed(data, base) || "\u00a0";
  byId("score").textContent = points.format(data.score);
  byId("risk").textContent = data.default_risk;
  byId("loss").textContent = loss(form, data);
  byId("names").textContent =
    `Model version ${data.model_version} (${data.model_sha256.slice(0, 12)}), policy ${data.policy_version}, request ${data.request_id}`;
  showGauge(form.cut_offs, data);
  showReasons(data.reasons);
  const brief = byId("brief");
  brief.hidden = false;
  brief.replaceChildren(
    element("strong", { text: percent.format(data.probability) }),
    element("span", { class: `decision ${data.decision}`, text: DECISIONS[data.decision] }),
    element("span", { text: `score ${points.format(data.score)}` }),
  );
}

/** The answer as a sentence for screen readers. */
export function sentence(data) {
  const first = data.reasons[0] ? ` First reason: ${data.reasons[0].text}, minus ${points.format(-data.reasons[0].points)} points.` : "";
  const result = `${DECISIONS[data.decision]}. Probability of default ${percent.format(data.probability)}`;
  return `${result}, score ${points.format(data.score)}, risk ${data.default_risk.toLowerCase()}.${first}`;
}

function changed(data, base) {
  if (!base || base.request_id === data.request_id) return "";
  const moved = 100 * (data.probability - base.probability);
  const scored = data.score - base.score;
  if (Math.abs(moved) < 0.005 && Math.abs(scored) < 0.05) return "same as the application that you scored";
  const sign = (value) => (value > 0 ? "+" : value < 0 ? "−" : "±");
  const parts = `${sign(moved)}${short.format(Math.abs(moved))} percentage points, ${sign(scored)}${points.format(Math.abs(scored))} points of score`;
  return `${parts} compared with the application that you scored`;
}

function loss(form, data) {
  if (data.expected_loss === null) return "unknown";
  if (!form.exposure) return `${percent.format(data.expected_loss)} of the amount owed`;
  return `${money.format(data.expected_loss)}${form.exposure.unit ? ` ${form.exposure.unit}` : ""}`;
}

function showGauge(cutOffs, data) {
  const top = Math.min(1, Math.max(2 * cutOffs.decline_from, 1.15 * data.probability, 0.05));
  const at = (value) => `${(100 * Math.min(value, top)) / top}%`;
  const parts = [["approve", 0, cutOffs.approve_below], ["refer", cutOffs.approve_below, cutOffs.decline_from], ["decline", cutOffs.decline_from, top]];
  const gauge = byId("gauge");
  const bands = parts.map(([name, low, high]) => {
    const band = element("div", { class: `band ${name}` });
    band.style.left = at(low);
    band.style.right = `calc(100% - ${at(high)})`;
    return band;
  });
  const ticks = [...new Set([cutOffs.approve_below, cutOffs.decline_from])].map((cut) => {
    const tick = element("span", { class: "tick", text: percent.format(cut) });
    tick.style.left = at(cut);
    return tick;
  });
  if (ticks.length === 2) {
    ticks[0].classList.add("before");
    ticks[1].classList.add("after");
  }
  let marker = gauge.querySelector(".marker"); // kept, so that its move is animated
  if (!marker) marker = element("div", { class: "marker" });
  marker.style.left = at(data.probability);
  for (const old of [...gauge.children]) if (old !== marker) old.remove();
  gauge.prepend(...bands);
  if (!marker.isConnected) gauge.append(marker);
  gauge.append(...ticks);
  gauge.setAttribute(
    "aria-label",
    `${percent.format(data.probability)}; approved below ${percent.format(cutOffs.approve_below)}, declined from ${percent.format(cutOffs.decline_from)}`,
  );
}

function showReasons(reasons) {
  const scale = Math.max(MIN_SCALE, ...reasons.map((reason) => -reason.points));
  const list = byId("reasons");
  while (list.children.length > reasons.length) list.lastChild.remove();
  reasons.forEach((reason, at) => {
    if (!list.children[at]) list.append(bar());
    const [text, cost, track] = list.children[at].children;
    text.textContent = reason.text;
    cost.textContent = `−${points.format(-reason.points)}`;
    track.firstChild.style.width = `${(100 * -reason.points) / scale}%`;
  });
  byId("no-reasons").hidden = reasons.length > 0;
  byId("reasons-details").hidden = reasons.length === 0;
  byId("reasons-table").replaceChildren(
    ...reasons.map((reason) =>
      element("tr", {},
        element("td", { text: reason.text }),
        element("td", {}, element("code", { text: reason.code })),
        element("td", { text: typeof reason.value === "number" ? short.format(reason.value) : (reason.value ?? "unknown") }),
        element("td", { class: "number", text: `−${money.format(-reason.points)}` }))),
  );
}

function bar() {
  const track = element("span", { class: "track", "aria-hidden": true }, element("span", { class: "bar" }));
  return element("li", {}, element("span", { class: "text" }), element("span", { class: "cost" }), track);
}
