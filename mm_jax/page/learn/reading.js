// mm_jax/tool/checking.py and mm_jax/shapes.py: takes the words of a text or a file, and says what was odd about them.

import { MAX_LENGTH, Trouble, caseOf } from "../engine/sampling.js";

const LIMITS = { bytes: 64 * 2 ** 20, words: 100000, characters: 2000000, length: MAX_LENGTH, few: 20 };
// Office and zip, PDF, gzip, old Office, rich text, pictures, sounds.
const NO_TEXT = ["PK\x03\x04", "%PDF-", "\x1f\x8b", "\xd0\xcf\x11\xe0", "{\\rtf", "\x89PNG", "\xff\xd8\xff", "GIF8"];
const SEPARATORS = /[\0\t\v\f\x1c-\x1f\x85\u2028\u2029]+/g;
const CONTROLS = /[\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g; // and bidi overrides
const MARKS = [/^\s*\d{1,9}\s*[.)]\s*(?=\D)/, /^\s*[-*+•‣–—]\s+/]; // of numbered and of bulleted lists
const NUMBER = /^\d{1,18}$/;

// Collects what is odd: report(kind, example) counts it.
function reporter() {
  const found = new Map();
  const report = (kind, example, count = 1) => {
    const entry = found.get(kind) ?? { kind, count: 0, examples: [] };
    entry.count += count;
    if (example !== undefined && entry.examples.length < 3) entry.examples.push(example.slice(0, 60));
    found.set(kind, entry);
    return entry;
  };
  return { report, all: () => [...found.values()] };
}

const decode = (bytes, encoding) => new TextDecoder(encoding).decode(bytes);

// Decodes a file: UTF-8, UTF-16, or Windows-1252 where no line is UTF-8; throws a Trouble for what is no text.
function textOf(content, report) {
  if (typeof content === "string") return content;
  const bytes = new Uint8Array(content);
  if (bytes.length > LIMITS.bytes) throw new Trouble("large", { limit: LIMITS.bytes });
  const start = String.fromCharCode(...bytes.subarray(0, 10000));
  if (NO_TEXT.some((mark) => start.startsWith(mark))) throw new Trouble("binary");
  const zeros = [0, 1].map((odd) => bytes.subarray(0, 10000).filter((byte, i) => !byte && i % 2 === odd).length);
  let wide = start.startsWith("\xff\xfe") ? "utf-16le" : start.startsWith("\xfe\xff") ? "utf-16be" : null;
  if (!wide && 4 * (zeros[0] + zeros[1]) > start.length) wide = zeros[1] > zeros[0] ? "utf-16le" : "utf-16be";
  if (!wide && start.startsWith("\xef\xbb\xbf")) report("bom");
  let text = decode(bytes, wide ?? "utf-8");
  const isUtf8 = (line) => /[^\0-\x7f]/.test(line) && !line.includes("\ufffd");
  if (wide) report("utf16");
  else if (text.includes("\ufffd") && !text.split("\n").some(isUtf8)) {
    text = decode(bytes, "windows-1252");
    report("latin1");
  }
  const odd = text.slice(0, 10000).match(/[\0-\x08\x0e-\x1b\ufffd]/g) ?? [];
  if (20 * odd.length > Math.min(text.length, 10000)) throw new Trouble("binary");
  return text;
}

// Splits a text into rows of fields, where the delimiter does not stand in quotation marks.
function rowsOf(text, delimiter) {
  const plain = () => text.split("\n").map((line) => line.split(delimiter).map((field) => field.trim()));
  if (!text.includes('"')) return plain();
  const rows = [];
  let row = [], field = "", inside = false;
  for (let i = 0; i <= text.length; i++) {
    const char = text[i];
    if (inside && char === '"' && text[i + 1] === '"') field += text[i++];
    else if (inside && char === '"') inside = false;
    else if (inside && char) field += char === "\n" ? " " : char;
    else if (char === '"' && !field.trim()) inside = true;
    else if (char && char !== delimiter && char !== "\n") field += char;
    else {
      row.push(field.trim());
      field = "";
      if (char !== delimiter) row = (rows.push(row), []);
    }
  }
  return inside ? plain() : rows; // a mark that is never closed would swallow the rest
}

// Returns the rows of a table, without blank ones, or null for a list: 19 of 20 rows have as many fields as most.
function tableOf(text) {
  for (const delimiter of ["\t", ";", ",", "|"]) {
    const lines = text.slice(0, 200000).split("\n").filter((line) => line.trim());
    if (lines.length < 2 || 2 * lines.filter((line) => line.includes(delimiter)).length < lines.length) continue;
    const rows = rowsOf(text, delimiter).filter((row) => row.length > 1 || row[0]), tally = new Map();
    for (const { length } of rows) tally.set(length, (tally.get(length) ?? 0) + 1);
    const [width, count] = [...tally].reduce((a, b) => (b[1] > a[1] ? b : a));
    if (width > 1 && (count >= 0.95 * rows.length || delimiter === "\t")) return rows;
  }
  return null;
}

// Returns whether the first row names the columns: known names, or no number above a column of numbers.
function hasHeader([first, ...rest], headings) {
  if (!rest.length || first.some((field) => NUMBER.test(field))) return false;
  return first.some((field, i) => headings.has(field.toLowerCase()) || rest.every((row) => NUMBER.test(row[i] ?? "")));
}

// Returns the first column, from 0 on, that mostly holds words; codes beside longer words are passed over.
function wordColumn(rows) {
  const columns = rows[0].map((_, i) => rows.map((row) => row[i] ?? ""));
  const isWord = (field) => /[^\s\d.,:+-]/.test(field);
  const wordy = columns.map((column) => 2 * column.filter(isWord).length > column.length);
  const sizes = columns.map((column) => column.map((field) => field.length));
  const most = (i) => Math.max(...sizes[i].slice(0, 5000));
  const isCode = (i) => most(i) <= 3 && new Set(sizes[i]).size === 1;
  const longer = wordy.some((each, i) => each && most(i) > 3);
  return Math.max(0, wordy.findIndex((each, i) => each && !(longer && isCode(i))));
}

// Takes the lines of a text, or one column of a table; `column` is null (choose), 0 (lines) or the number of one.
function linesOf(text, column, headings, report) {
  const table = column === 0 ? null : tableOf(text);
  if (!table) {
    if (column) throw new Trouble("no_column", { column });
    const lines = text.split("\n");
    const one = lines.filter((line) => line.trim());
    const delimiter = one.length === 1 && ["\t", ";", ",", "|"].find((each) => one[0].split(each).length > 2);
    if (delimiter) return (report("one_line"), { lines: one[0].split(delimiter), columns: null, column: 0 });
    const mark = one.length > 1 && MARKS.find((each) => one.every((line) => each.test(line)));
    if (mark) report("marks", one[0].trim(), one.length);
    return { lines: mark ? lines.map((line) => line.replace(mark, "")) : lines, columns: null, column: 0 };
  }
  const headed = hasHeader(table, headings), rows = table.slice(headed ? 1 : 0);
  const columns = rows[0].map((_, i) => (headed && table[0][i]) || `${i + 1}`);
  const chosen = column ?? wordColumn(rows) + 1;
  if (chosen > columns.length) throw new Trouble("no_column", { column });
  report("columns", columns[chosen - 1]);
  if (headed) report("header", table[0].join(", "));
  const full = rows.filter((row) => row.length >= chosen);
  if (full.length < rows.length) report("short", undefined, rows.length - full.length);
  return { lines: full.map((row) => row[chosen - 1]), columns, column: chosen };
}

// Returns a line as a word: in NFC, without control characters and blanks around it.
function cleaned(line, report) {
  let word = line.trim();
  if (word !== line && word) report("blanks", word);
  if (word.normalize("NFC") !== word) report("pieces", word = word.normalize("NFC"));
  const clean = word.replace(SEPARATORS, " ").replace(CONTROLS, "").trim();
  if (clean !== word) report("control", clean);
  return clean;
}

// Takes as many words as the limits allow, evenly over the list.
function within(words, report) {
  const characters = words.reduce((sum, word) => sum + word.length, 0);
  const share = Math.min(1, LIMITS.words / words.length, LIMITS.characters / characters);
  if (share === 1) return words;
  const kept = Math.floor(share * words.length);
  report("many", undefined, kept).of = words.length;
  return Array.from({ length: kept }, (_, i) => words[Math.floor((i * words.length) / kept)]);
}

// Returns the distinct words and what was odd; throws a Trouble where there are none. Yields often.
export function* read({ content, column = null }, headings) {
  const { report, all } = reporter();
  let text = textOf(content, report);
  if (text.includes("\ufeff")) text = text.replaceAll("\ufeff", "");
  const found = linesOf(text.replace(/\r\n?/g, "\n"), column, headings, report), words = new Set();
  const lines = found.lines[found.lines.length - 1] === "" ? found.lines.slice(0, -1) : found.lines;
  for (let i = 0; i < lines.length; i++) {
    if (i % 1000 === 0) yield i / lines.length;
    const word = cleaned(lines[i], report);
    if (!word) report("blank");
    else if (word.length > LIMITS.length && Array.from(word).length > LIMITS.length) report("long", word);
    else if (words.has(word)) report("repeated", word);
    else if (word.includes("\ufffd")) report("broken", word);
    else words.add(word);
  }
  const kept = within([...words], report);
  const isLong = all().some(({ kind }) => kind === "long");
  if (!kept.length) throw new Trouble(isLong ? "long_only" : "empty", { limit: LIMITS.length });
  if (kept.length === 1) throw new Trouble("one", { word: kept[0] });
  return { words: kept, columns: found.columns, column: found.column, ...figures(kept, report), report: all() };
}

function figures(words, report) {
  const chars = new Set(words.join("")), lengths = words.map((word) => Array.from(word).length);
  const small = words.filter((word) => caseOf(word) === "lower"); // beside words that begin with a capital
  if (small.length && words.some((word) => caseOf(word) === "upper")) report("case", small[0], small.length);
  if (words.length < LIMITS.few) report("few", undefined, words.length);
  const [shortest, longest] = [Math.min, Math.max].map((pick) => lengths.reduce((a, b) => pick(a, b)));
  return { characters: lengths.reduce((a, b) => a + b), alphabet: chars.size, shortest, longest };
}
