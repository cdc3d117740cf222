/**
 * A wedge scanner types like somebody very fast and ends with Enter. Caught wherever the focus is, and whatever input
 * method is on: under a Chinese one the browser says "Process" and keyCode 229 instead of the key, so the key's place
 * on the keyboard (`event.code`) is read; full-width characters are made plain.
 */

export const GAP_MS = 60; // scanners type every 1 to 30 ms, people hardly below 80
const PIECES_MS = 1000; // pieces of one scan lie no further apart: radio scanners and busy tablets stutter
const SHORTEST = 3;
const TWICE_MS = 700;
const AIM = /^\][A-Za-z][0-9]/; // AIM symbology identifier, which some scanners put before the code
const FNC1 = "\u001d";

const SHIFTED = { Minus: "_", Equal: "+", BracketLeft: "{", BracketRight: "}", Backslash: "|", Semicolon: ":", Quote: '"', Backquote: "~", Comma: "<", Period: ">", Slash: "?" };
const PLAIN = { Minus: "-", Equal: "=", BracketLeft: "[", BracketRight: "]", Backslash: "\\", Semicolon: ";", Quote: "'", Backquote: "`", Comma: ",", Period: ".", Slash: "/", Space: " " };
const DIGITS_SHIFTED = ")!@#$%^&*(";
const NUMPAD = { NumpadAdd: "+", NumpadSubtract: "-", NumpadMultiply: "*", NumpadDivide: "/", NumpadDecimal: "." };

/** The character of a key by its place on a US keyboard, which is what scanners are set to; "" for no character. */
function byPlace(event) {
  const { code, shiftKey } = event;
  if (/^Key[A-Z]$/.test(code)) {
    const isUpper = shiftKey !== Boolean(event.getModifierState?.("CapsLock"));
    return isUpper ? code[3] : code[3].toLowerCase();
  }
  if (/^Digit[0-9]$/.test(code)) return shiftKey ? DIGITS_SHIFTED[Number(code[5])] : code[5];
  if (/^Numpad[0-9]$/.test(code)) return code[6];
  return NUMPAD[code] ?? (shiftKey ? SHIFTED[code] : undefined) ?? PLAIN[code] ?? "";
}

/** Whether an input method has taken the key: then its name says nothing. */
const isTaken = (event) => event.isComposing || event.keyCode === 229 || event.key === "Process" || event.key === "Unidentified";

function character(event) {
  if (isTaken(event)) return byPlace(event);
  if (event.ctrlKey && event.code === "BracketRight") return FNC1; // group separator of GS1 codes
  if (event.ctrlKey || event.metaKey || event.altKey) return "";
  return [...event.key].length === 1 ? event.key : "";
}

/** A code as it is compared and sent: plain characters, no symbology mark, no spaces around it. */
export function plainCode(text) {
  return text.normalize("NFKC").replace(/\s+$/, "").trimStart().replace(AIM, "").replace(/^\u001d+|\u001d+$/g, "");
}

/** What `feed` returns for a scan that came with a gap: a part of a code may be another code, so none is guessed. */
export const IN_PIECES = Symbol("in pieces");

/** Puts keys together to codes. Give it every keydown and keyup; `feed` returns a code when one is complete. */
export class Wedge {
  constructor() {
    this.reset();
    this.last = { code: "", at: -Infinity };
    this.bursts = 0; // how many there were: who typed slowly sees that there was none since
  }

  reset() {
    Object.assign(this, { text: "", at: -Infinity, alt: "", isBroken: false });
  }

  /** Whether a burst is under way: at least two characters, faster than fingers. */
  get isBurst() {
    return this.text.length >= 2;
  }

  feed(event, now) {
    if (["Shift", "CapsLock", "Control", "Meta"].includes(event.key)) return null;
    const isSlow = now - this.at > GAP_MS;
    if (event.altKey && /^Numpad[0-9]$/.test(event.code)) return this.altDigit(event, now, isSlow);
    if (event.code === "Enter" || event.code === "NumpadEnter" || event.key === "Enter" || (event.key === "Tab" && this.isBurst)) {
      const { text } = this;
      const isWhole = text.length >= SHORTEST;
      const isBroken = now - this.at <= PIECES_MS && (this.isBroken || (isSlow && isWhole));
      this.reset();
      if (isBroken) return IN_PIECES;
      return isWhole && !isSlow ? this.once(plainCode(text), now) : null;
    }
    const char = character(event);
    if (!char) return null;
    if (isSlow) this.afterGap(now);
    this.add(char, now);
    return null;
  }

  /** A gap: fingers, or a scan in pieces if what came before was too long and fast for fingers. */
  afterGap(now) {
    const isBroken = now - this.at <= PIECES_MS && (this.isBroken || this.text.length >= SHORTEST);
    this.reset();
    this.isBroken = isBroken;
  }

  add(char, now) {
    this.text += char;
    this.at = now;
    if (this.text.length === 2) this.bursts += 1;
  }

  /** Some scanners type Alt and the number of each character on the number pad. */
  altDigit(event, now, isSlow) {
    if (isSlow && !this.alt) this.afterGap(now);
    this.alt += event.code[6];
    this.at = now;
    return null;
  }

  altUp(now) {
    if (!this.alt) return;
    const char = String.fromCharCode(Number(this.alt) % 256);
    this.alt = "";
    this.add(char, now);
  }

  /** The same code twice at once is one scan: triggers bounce. */
  once(code, now) {
    const isTwice = code === this.last.code && now - this.last.at < TWICE_MS;
    this.last = { code, at: now };
    return isTwice || !code ? null : code;
  }
}

/**
 * Listen on a window; `onCode(code)` for each scan, `onPieces()` for one that came in pieces. What a scan typed into a field before it was known is taken out.
 * The event says when the key was pressed: a tablet that is busy handles keys late, and all at once.
 */
export function listen(target, onCode, onPieces = () => {}, clock = (event) => event.timeStamp) {
  const wedge = new Wedge();
  let before = null; // the field that had the focus when the burst began, and what stood in it

  const remember = (field) => {
    const isField = field?.matches?.("input, textarea");
    before = isField ? { field, value: field.value } : null;
  };

  const restore = () => {
    const kept = before;
    before = null;
    if (!kept) return;
    kept.field.value = kept.value;
    kept.field.blur(); // ends what an input method is composing; it may still put its text there
    setTimeout(() => { kept.field.value = kept.value; }, 0);
  };

  target.addEventListener("keydown", (event) => {
    const now = clock(event);
    const wasEmpty = wedge.text === "" || now - wedge.at > GAP_MS;
    if (wasEmpty) remember(event.target);
    const code = wedge.feed(event, now);
    if (code !== null) {
      event.preventDefault();
      event.stopImmediatePropagation();
      restore();
      if (code === IN_PIECES) onPieces();
      else onCode(code);
    } else if (wedge.isBurst) {
      event.preventDefault(); // neither typed into a field nor pressing what has the focus
      event.stopImmediatePropagation();
    }
  }, true);
  target.addEventListener("keyup", (event) => event.key === "Alt" && wedge.altUp(clock(event)), true);
  return wedge;
}
