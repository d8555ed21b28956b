// mm_jax/prior/network.py and characters.py: a character is the sum of its parts; the style of a list shifts the gates.
// style = tanh(mean over the list of gelu(convolution of width 3 over its characters) @ M + mb);  C = inputs @ A,
// b1 = b1 + style @ Z,  W2 = U @ outputs.T,  b2 = biases + outputs @ (u + style @ Zo)

import { fromHalf, gelu, sigmoid } from "../engine/contract.js";

const STYLE = 8192, PARTS = 3; // tokens that the style is taken from; parts of a character's decomposition

// Returns the bits in half precision of numbers that it holds exactly, none of them subnormal.
function halvesOf(values) {
  const half = (bits) => bits && (((bits >>> 16) & 0x8000) | (((bits >>> 13) - (112 << 10)) & 0x7fff));
  return Uint16Array.from(new Uint32Array(values.buffer), half);
}

// Reads the file of the prior, vectors in half precision and matrices whose rows are 2^exponent * whole numbers:
// float32 by name, each with its shape and its bits in half precision; the parts.
export function parsed({ bytes, kinds }) {
  const size = new DataView(bytes).getUint32(0, true), first = 8 + size, arrays = {};
  const { __metadata__: about, ...entries } = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 8, size)));
  const content = (name) => bytes.slice(...entries[name].data_offsets.map((at) => first + at));
  for (const [name, { dtype, shape }] of Object.entries(entries)) {
    if (dtype === "F16") {
      const half = new Uint16Array(content(name));
      arrays[name] = Object.assign(Float32Array.from(half, fromHalf), { shape, half });
    } else if (shape.length === 2) {
      const exponents = new Int8Array(content(`${name} exponents`)), row = (i) => Math.floor(i / shape[1]);
      const values = Float32Array.from(new Int8Array(content(name)), (x, i) => x * 2 ** exponents[row(i)]);
      arrays[name] = Object.assign(values, { shape, half: halvesOf(values) });
    }
  }
  return { ...arrays, rows: new Map(JSON.parse(about.parts).map((part, row) => [part, row])), kinds };
}

// Returns the kind of a character, its category and script, from ranges by kind: gap, length, gap, length, ...
function kindOf(char, kinds) {
  const code = char.codePointAt(0);
  return Object.keys(kinds).find((kind) => {
    let end = 0;
    for (let i = 0; i < kinds[kind].length && end <= code; i += 2) {
      const begin = end + kinds[kind][i];
      end = begin + kinds[kind][i + 1];
      if (begin <= code && code < end) return true;
    }
    return false;
  });
}

// Returns the rows of a character's parts that the prior knows.
function partsOf(char, { rows, kinds }) {
  const lower = Array.from(char.toLowerCase()).length === Array.from(char).length ? char.toLowerCase() : char;
  const decomposed = Array.from(lower.normalize("NFKD")).slice(0, PARTS).filter((part) => part !== " " || char === " ");
  const parts = [...decomposed, ...(lower === char ? [] : ["capital"]), kindOf(char, kinds)];
  return parts.map((part) => rows.get(part)).filter((row) => row !== undefined);
}

// Returns X @ W.T + b: X [n, k], W [m, k], both by rows. Four rows by four columns: each number read serves four times.
export function product(X, W, k, b, out = new Float64Array((X.length / k) * (W.length / k))) {
  const n = X.length / k, m = W.length / k;
  for (let row = 0; row < n; row += 4) {
    const at = (i) => k * Math.min(row + i, n - 1), [p0, q0, r0, s0] = [at(0), at(1), at(2), at(3)];
    for (let column = 0; column < m; column += 4) {
      const of = (i) => k * Math.min(column + i, m - 1), [t0, u0, v0, w0] = [of(0), of(1), of(2), of(3)];
      let a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0;
      let c0 = 0, c1 = 0, c2 = 0, c3 = 0, d0 = 0, d1 = 0, d2 = 0, d3 = 0;
      for (let i = 0; i < k; i++) {
        const p = X[p0 + i], q = X[q0 + i], r = X[r0 + i], s = X[s0 + i];
        const t = W[t0 + i], u = W[u0 + i], v = W[v0 + i], w = W[w0 + i];
        a0 += p * t;
        a1 += p * u;
        a2 += p * v;
        a3 += p * w;
        b0 += q * t;
        b1 += q * u;
        b2 += q * v;
        b3 += q * w;
        c0 += r * t;
        c1 += r * u;
        c2 += r * v;
        c3 += r * w;
        d0 += s * t;
        d1 += s * u;
        d2 += s * v;
        d3 += s * w;
      }
      [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3].forEach((sum, i) => {
        const j = Math.min(column + (i & 3), m - 1);
        out[Math.min(row + (i >> 2), n - 1) * m + j] = sum + (b ? b[j] : 0);
      });
    }
  }
  return out;
}

// Returns the transpose of a matrix by rows, [n, k] to [k, n].
export function transposed(X, k) {
  const n = X.length / k, out = new Float64Array(X.length);
  for (let r = 0; r < n; r++) for (let i = 0; i < k; i++) out[i * n + r] = X[r * k + i];
  return out;
}

// Adds up the rows of each token's parts: [vocab_size, width].
function embed(table, ids, width) {
  const out = new Float64Array(ids.length * width);
  ids.forEach((rows, token) => {
    for (const row of rows) for (let i = 0; i < width; i++) out[token * width + i] += table[row * width + i];
  });
  return out;
}

// Returns the style of a list, of the first tokens of its stream.
function styleOf({ K, kb, M, mb }, inputs, stream) {
  const tokens = stream.subarray(0, STYLE), width = kb.length, d = K.shape[0];
  const given = product(inputs, transposed(K, 3 * width), d), mean = new Float64Array(width);
  const at = (i) => 3 * width * (tokens[i] ?? 0);
  for (let t = 0; t < tokens.length; t++) {
    const [before, here, after] = [at(t - 1), at(t) + width, at(t + 1) + 2 * width];
    for (let i = 0; i < width; i++) {
      mean[i] += gelu(given[before + i] + given[here + i] + given[after + i] + kb[i]) / tokens.length;
    }
  }
  return product(mean, transposed(M, mb.length), width, mb).map(Math.tanh);
}

const plus = (a, b) => a.map((each, i) => each + b[i]);

// Returns the prior for the alphabet and in the style of a list: the arrays of a GRU, W2 [vocab_size, hidden_dim].
export function restrict(prior, vocab, stream) {
  const d = prior.U.shape[1], gates = prior.b1.length, symbols = vocab.symbols.slice(1);
  const ids = [[prior.rows.get("end")], ...symbols.map((symbol) => partsOf(symbol, prior))];
  const inputs = embed(prior.inputs, ids, d), outputs = embed(prior.outputs, ids, d);
  const biases = embed(prior.biases, ids, 1);
  const style = styleOf(prior, inputs, stream);
  const styled = (table) => product(style, transposed(table, table.shape[1]), style.length);
  return {
    C: Float32Array.from(product(inputs, transposed(prior.A, gates), d)), W1: prior.W1, bn: prior.bn,
    b1: Float32Array.from(plus(styled(prior.Z), prior.b1)),
    W2: product(outputs, prior.U, d), b2: plus(product(outputs, plus(styled(prior.Zo), prior.u), d), biases),
  };
}

// Returns the prefix trie of words: parents before children; of each token of the stream, the prefix before it.
export function trieOf(stream, size) {
  const children = new Map(), parents = [0], last = [0], depths = [0], ids = new Int32Array(stream.length - 1);
  let node = 0;
  for (let i = 0; i < ids.length; i++) {
    ids[i] = node;
    const token = stream[i + 1], key = node * size + token;
    if (token && !children.has(key)) {
      children.set(key, parents.push(node) - 1);
      last.push(token);
      depths.push(depths[node] + 1);
    }
    node = token ? children.get(key) : 0;
  }
  return { parents, last, depths, ids };
}

// Computes the state of the GRU after each prefix: [prefixes, hidden_dim] by rows. Yields often.
export function* statesOf({ C, W1, b1, bn }, { parents, last, depths }) {
  const size = bn.length, states = new Float64Array(parents.length * size), W = transposed(W1, 3 * size);
  const order = Array.from(parents.keys()).sort((a, b) => depths[a] - depths[b] || a - b);
  for (let first = 0; first < order.length;) {
    let end = first;
    while (end < order.length && end < first + 32 && depths[order[end]] === depths[order[first]]) end++;
    const rows = order.slice(first, end), before = new Float64Array(rows.length * size);
    rows.forEach((node, r) => {
      if (node) before.set(states.subarray(parents[node] * size, (parents[node] + 1) * size), r * size);
    });
    const s = product(before, W, size);
    rows.forEach((node, r) => {
      const x = last[node] * 3 * size, at = r * 3 * size;
      for (let k = 0; k < size; k++) {
        const gate = (i) => C[x + i] + b1[i] + s[at + i];
        const n = Math.tanh(C[x + 2 * size + k] + b1[2 * size + k] + sigmoid(gate(k)) * (s[at + 2 * size + k] + bn[k]));
        states[node * size + k] = n + sigmoid(gate(size + k)) * (before[r * size + k] - n);
      }
    });
    first = end;
    yield first / order.length;
  }
  return states;
}
