// Adds comfort to pages that work without it. It stores nothing, sends nothing, and writes text only.
"use strict";

for (const button of document.querySelectorAll("[data-reveal]")) {
  const input = document.getElementById(button.dataset.reveal);
  button.hidden = false;
  button.addEventListener("click", () => {
    const show = input.type === "password";
    input.type = show ? "text" : "password";
    button.textContent = show ? button.dataset.hide : button.dataset.show;
    button.setAttribute("aria-label", show ? button.dataset.hideLabel : button.dataset.showLabel);
    input.focus();
  });
  // Hidden again before it is sent, so that no browser remembers it as ordinary text.
  input.form.addEventListener("submit", () => { input.type = "password"; });
}

for (const box of document.querySelectorAll("[data-meter]")) {
  const input = document.getElementById(box.dataset.meter);
  const [meter, text] = box.children;
  const update = () => {
    const length = [...input.value].length;
    box.hidden = length === 0;
    meter.value = length;
    text.textContent = length >= meter.max ? box.dataset.enough : box.dataset.count.replace("{n}", length).replace("{min}", meter.max);
  };
  input.addEventListener("input", update);
  update();
}

for (const button of document.querySelectorAll("button[data-wait]")) {
  const label = button.textContent;
  let left = Number(button.dataset.wait);
  const tick = () => {
    button.disabled = left > 0;
    button.textContent = left > 0 ? button.dataset.waitText.replace("{n}", left) : label;
    if (left-- > 0) setTimeout(tick, 1000);
  };
  tick();
}

const lang = document.documentElement.lang;
const local = new Intl.DateTimeFormat(navigator.languages.find((l) => l.startsWith(lang)) || lang, {
  day: "numeric", month: "short", year: "numeric", hour: "numeric", minute: "2-digit", timeZoneName: "short",
});
for (const time of document.querySelectorAll("time[datetime]")) {
  time.textContent = local.format(new Date(time.dateTime));
}

// A browser may keep the page of an account whole and bring it back; whoever is signed out by then must not see it again.
addEventListener("pageshow", (event) => {
  if (event.persisted && document.querySelector(".actions")) location.reload();
});
