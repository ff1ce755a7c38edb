/**
 * Rearranges the rows of a query or key projection between the two orders of RoPE pairs in a head: (i, i + headDim / 2),
 * as Hugging Face Llama checkpoints have them, and (2i, 2i + 1), as GGUF's llama and Laneformer have them.
 */
function permuteRows(
  bits: Uint16Array,
  columns: number,
  headDim: number,
  source: (row: number) => number,
): Uint16Array {
  const out = new Uint16Array(bits.length);
  const rows = bits.length / columns;
  for (let row = 0; row < rows; row++) {
    const head = row - (row % headDim);
    const from = (head + source(row % headDim)) * columns;
    out.set(bits.subarray(from, from + columns), row * columns);
  }
  return out;
}

/** From halves to neighbours. `bits` is [rows, columns]. */
export function pairNeighbours(bits: Uint16Array, columns: number, headDim: number): Uint16Array {
  return permuteRows(bits, columns, headDim, (row) => (row % 2) * (headDim / 2) + Math.floor(row / 2));
}

/** From neighbours to halves. `bits` is [rows, columns]. */
export function pairHalves(bits: Uint16Array, columns: number, headDim: number): Uint16Array {
  const half = headDim / 2;
  return permuteRows(bits, columns, headDim, (row) => (row % half) * 2 + Math.floor(row / half));
}
