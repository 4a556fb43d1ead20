"use strict";
const content = JSON.parse(document.getElementById("content").textContent);
const find = (id) => document.getElementById(id);
const link = new URLSearchParams(location.search);
const codes = Object.keys(content.arms);
const rounds = content.tests.length;
const results = {
  kind: "xsparks study results", schema: 1, study: content.study, participant: "", arm: "", finished: false, trials: [],
};
let arm = null;
let order = [];
let round = 0;
let position = 0;
let shownAt = 0;

function show(name) {
  for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== name;
  find("progress").hidden = name === "welcome";
  const title = document.querySelector(`#${name} h1[tabindex]`);
  if (title) title.focus({ preventScroll: true });
  scrollTo(0, 0);
}

function progress(text) {
  const steps = order.reduce((sum, codes) => sum + codes.length, 0) + rounds * content.training;
  const before = order.slice(0, round).reduce((sum, codes) => sum + codes.length + content.training, 0);
  find("where").textContent = text;
  find("done").style.width = `${(100 * (before + position)) / steps}%`;
}

// The same participant always gets the same order, another one another.
function numbers(text) {
  let state = 2166136261;
  for (const letter of text) state = Math.imul(state ^ letter.codePointAt(0), 16777619) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function shuffled(list, random) {
  const found = [...list];
  for (let last = found.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [found[last], found[other]] = [found[other], found[last]];
  }
  return found;
}

function element(tag, options = {}, ...children) {
  const made = Object.assign(document.createElement(tag), options);
  made.append(...children);
  return made;
}

// A participant's number gives the arm, in turn; a link may name it: ?participant=anna&arm=2
function armOf(participant) {
  if (link.has("arm")) return codes.includes(link.get("arm")) ? link.get("arm") : "";
  return /^\d{1,9}$/.test(participant) ? codes[Number(participant) % codes.length] : "";
}

function begin(event) {
  event.preventDefault();
  const participant = find("participant").value.trim();
  const code = armOf(participant);
  let problem = "";
  if (!find("agree").checked) problem = "Please tick the box if you want to take part.";
  else if (!participant) problem = "Please enter the participant number that you were given.";
  else if (!code) problem = link.has("arm") ? "This link is not complete. Please ask whoever sent it." : "A participant number has digits only.";
  find("problem").textContent = problem;
  if (problem) return;
  results.participant = participant;
  results.arm = code;
  arm = content.arms[code];
  const random = numbers(content.study + participant);
  order = content.tests.map((tests) => shuffled(Object.keys(tests), random));
  if (content.check) {
    const middle = order[Math.floor(rounds / 2)];
    middle.splice(Math.ceil(middle.length / 2), 0, "check");
  }
  addEventListener("beforeunload", warn);
  learn();
}

function warn(event) {
  event.preventDefault();
}

function learn() {
  const index = round * content.training + position;
  const said = element("b", { textContent: content.classes[content.answers[index]] });
  find("learn-title").textContent = rounds > 1 ? `Round ${round + 1} of ${rounds}: learn` : "Learn";
  find("said").replaceChildren("The model answered ", said);
  const parts = [element("figure", {}, element("img", { src: content.examples[index], alt: `Example ${index + 1}` }),
    element("figcaption", { textContent: "The picture" }))];
  if (arm) {
    const caption = element("figcaption", { textContent: "Where it counted for the answer" });
    const legend = find(`legend-${arm.signed}`).content.cloneNode(true);
    parts.push(element("figure", {}, element("img", { src: arm.pictures[index], alt: `Example ${index + 1}, coloured where it counted` }), caption, legend));
  }
  find("example").replaceChildren(...parts);
  find("example").classList.toggle("single", !arm);
  find("back").disabled = position === 0;
  show("learn");
  progress(`Example ${position + 1} of ${content.training}`);
}

function nextExample() {
  position += 1;
  if (position < content.training) return learn();
  find("ready-text").textContent = `Here are ${order[round].length} pictures, without the model's answer${arm ? " and without colours" : ""}.`;
  show("ready");
  progress(`Round ${round + 1} of ${rounds}`);
}

function reservoir() {
  const seen = (round + 1) * content.training;
  const groups = content.classes.map((name, answer) => {
    const group = element("div", { className: arm ? "group maps" : "group" });
    group.style.setProperty("--cell", arm ? "10rem" : "6.5rem");
    for (let index = 0; index < seen; index++) {
      if (content.answers[index] !== answer) continue;
      const cell = element("div", {}, element("img", { src: content.examples[index], alt: `Example: the model answered ${name}` }));
      if (arm) cell.append(element("img", { src: arm.pictures[index], alt: "the same, coloured where it counted" }));
      group.append(cell);
    }
    const title = element("h3", {}, "The model answered ", element("b", { textContent: name }));
    return element("div", {}, title, group);
  });
  find("reservoir").replaceChildren(...groups);
}

function predict() {
  const code = order[round][position - content.training];
  find("picture").src = code === "check" ? content.examples[0] : content.tests[round][code];
  content.classes.forEach((name, answer) => { find(`answer-${answer}`).querySelector("span").textContent = name; });
  show("predict");
  progress(`Picture ${position - content.training + 1} of ${order[round].length}`);
  shownAt = performance.now();
}

function answer(chosen) {
  // The second click of a double one is no answer to the next picture.
  if (find("predict").hidden || performance.now() - shownAt < 100) return;
  const seconds = Math.round(performance.now() - shownAt) / 1000;
  results.trials.push({ session: round + 1, item: order[round][position - content.training], answer: chosen, seconds });
  position += 1;
  if (position - content.training < order[round].length) return predict();
  round += 1;
  position = 0;
  return round < rounds ? learn() : finish();
}

function finish() {
  results.finished = true;
  const text = JSON.stringify(results, null, 1);
  find("answers-text").textContent = text;
  find("save").href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  find("save").download = `answers_${results.participant.replace(/[^\w-]/g, "_")}.json`;
  show("end");
  progress("Finished");
}

find("start").addEventListener("submit", begin);
find("back").addEventListener("click", () => { position -= 1; learn(); });
find("next").addEventListener("click", nextExample);
find("go").addEventListener("click", () => { reservoir(); predict(); });
find("answer-0").addEventListener("click", () => answer(0));
find("answer-1").addEventListener("click", () => answer(1));
find("save").addEventListener("click", () => removeEventListener("beforeunload", warn));
find("copy").addEventListener("click", async () => {
  find("answers-text").select();
  try {
    await navigator.clipboard.writeText(find("answers-text").value);
  } catch {
    document.execCommand("copy");
  }
  find("copied").textContent = "Copied.";
  removeEventListener("beforeunload", warn);
});
addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "ArrowLeft") answer(0);
  if (event.key === "ArrowRight") answer(1);
});

find("participant").value = link.get("participant") ?? "";
for (const part of document.querySelectorAll("[data-when=maps]")) {
  // Before the start nobody's condition is known, unless the link names it.
  const known = armOf(find("participant").value.trim());
  part.hidden = known !== "" && content.arms[known] === null;
}
show("welcome");
