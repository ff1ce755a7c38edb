/**
 * Figures that this program does not measure: what llama.cpp's own llama-bench and its strongest fork gave on another
 * machine of the kind that this project was developed on (2 cores of an Intel Xeon with AVX-512, 3.0 GHz; built with
 * -march=native; random weights of the same shapes). Tokens/s, 2 threads.
 */
export interface ReferenceRow {
  program: 'llama.cpp, llama-bench' | 'ik_llama.cpp, llama-bench';
  weights: string;
  /** Undefined where it was not measured. */
  decode?: number;
  decodeDepth512?: number;
  prompt512?: number;
}

export const referenceRows: readonly ReferenceRow[] = [
  { program: 'llama.cpp, llama-bench', weights: 'S bf16', decode: 572, decodeDepth512: 385, prompt512: 2190 },
  { program: 'llama.cpp, llama-bench', weights: 'S q8_0', decode: 803, decodeDepth512: 510, prompt512: 2170 },
  { program: 'llama.cpp, llama-bench', weights: 'M bf16', decode: 97, prompt512: 731 },
  { program: 'llama.cpp, llama-bench', weights: 'M q8_0', decode: 159, decodeDepth512: 87, prompt512: 748 },
  { program: 'llama.cpp, llama-bench', weights: 'L bf16', decode: 4.3, prompt512: 36 },
  { program: 'llama.cpp, llama-bench', weights: 'L q8_0', decode: 7.1, prompt512: 35 },
  { program: 'ik_llama.cpp, llama-bench', weights: 'S bf16', decode: 649, decodeDepth512: 478, prompt512: 1970 },
  { program: 'ik_llama.cpp, llama-bench', weights: 'S q8_0', decode: 914, decodeDepth512: 635, prompt512: 4110 },
  { program: 'ik_llama.cpp, llama-bench', weights: 'M q8_0', decode: 224, decodeDepth512: 136, prompt512: 1370 },
];
