// Solves the challenge of a form: finds the number whose SHA-256, behind the salt, is the one asked for. It works in short
// turns, so that typing goes on meanwhile. A form that is sent too soon is sent when the number is found.
"use strict";

const primes = [];
for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p)) primes.push(n);
const fraction = (x) => ((x - Math.floor(x)) * 2 ** 32) >>> 0;
const K = Uint32Array.from(primes, (p) => fraction(Math.cbrt(p)));
const START = Uint32Array.from(primes.slice(0, 8), (p) => fraction(Math.sqrt(p)));
const W = new Uint32Array(64);

// compress is one round of SHA-256 over the 64 bytes at offset.
function compress(state, bytes, offset) {
  for (let i = 0; i < 16; i++, offset += 4) W[i] = (bytes[offset] << 24) | (bytes[offset + 1] << 16) | (bytes[offset + 2] << 8) | bytes[offset + 3];
  for (let i = 16; i < 64; i++) {
    const x = W[i - 15], y = W[i - 2];
    W[i] = W[i - 16] + W[i - 7] + (((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3)) + (((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10));
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i++) {
    const one = (h + (((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))) + ((e & f) ^ (~e & g)) + K[i] + W[i]) | 0;
    const two = ((((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g; g = f; f = e; e = (d + one) | 0; d = c; c = b; b = a; a = (one + two) | 0;
  }
  state[0] += a; state[1] += b; state[2] += c; state[3] += d; state[4] += e; state[5] += f; state[6] += g; state[7] += h;
}

// searcher tries numbers behind a salt. The whole blocks of the salt are the same for all, and done once.
function searcher(salt, wanted) {
  const text = new TextEncoder().encode(salt), whole = text.length - (text.length % 64), rest = text.length - whole;
  const begun = START.slice(), block = new Uint8Array(128), state = new Uint32Array(8);
  for (let i = 0; i < whole; i += 64) compress(begun, text, i);
  const target = Uint32Array.from(wanted.match(/.{8}/g) || [], (part) => parseInt(part, 16));
  return (number) => {
    const digits = String(number), length = rest + digits.length, end = length < 56 ? 64 : 128, bits = (whole + length) * 8;
    block.fill(0);
    block.set(text.subarray(whole));
    for (let i = 0; i < digits.length; i++) block[rest + i] = digits.charCodeAt(i);
    block[length] = 0x80;
    for (let i = 0; i < 4; i++) block[end - 1 - i] = bits >>> (8 * i);
    state.set(begun);
    for (let i = 0; i < end; i += 64) compress(state, block, i);
    return state.every((word, i) => word === target[i]);
  };
}

const input = document.querySelector("[data-puzzle]"), form = input.form, button = form.querySelector("button:not([type])");
const box = form.querySelector(".puzzle"), bar = box.querySelector("progress"), said = document.getElementById("puzzle-state");
const puzzle = JSON.parse(input.dataset.puzzle), fits = searcher(puzzle.salt, puzzle.challenge);
let number = 0;
// What was sent already and is complete as it came back goes again by itself. A password never comes back.
let pressed = "sent" in input.dataset && [...form.querySelectorAll("input[required]")].every((field) => field.value);

form.addEventListener("submit", (event) => {
  if (input.value || bar.hidden) return;
  event.preventDefault();
  pressed = true;
  said.textContent = said.dataset.wait;
});

function found() {
  const { algorithm, challenge, salt, signature } = puzzle;
  input.value = btoa(JSON.stringify({ algorithm, challenge, number, salt, signature }));
  bar.hidden = true;
  said.textContent = said.dataset.done;
  if (pressed) form.requestSubmit(button);
}

function work() {
  for (const until = performance.now() + 12; performance.now() < until;) {
    for (let n = 0; n < 64; n++, number++) {
      if (number > puzzle.maxnumber) {
        bar.hidden = true;
        said.textContent = said.dataset.failed;
        return;
      }
      if (fits(number)) return found();
    }
  }
  bar.value = Math.min(99, (200 * number) / puzzle.maxnumber);
  setTimeout(work);
}

if (puzzle.algorithm === "SHA-256") {
  bar.hidden = false;
  said.textContent = said.dataset.work;
  setTimeout(work);
}
