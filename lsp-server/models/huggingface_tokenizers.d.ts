/** What we use of the library. Its own declarations do not resolve under `nodenext` (relative imports without extensions). */
declare module '@huggingface/tokenizers' {
  export interface AddedToken {
    id: number;
    content: string;
    special: boolean;
  }

  export class Tokenizer {
    constructor(definition: object, configuration: object);
    encode(text: string, options?: { add_special_tokens?: boolean }): { ids: number[] };
    decode(ids: number[], options?: { skip_special_tokens?: boolean }): string;
    token_to_id(token: string): number | undefined;
    get_added_tokens_decoder(): Map<number, AddedToken>;
    get_vocab(): Map<string, number>;
  }
}
