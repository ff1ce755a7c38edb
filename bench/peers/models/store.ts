import * as fs from 'node:fs';
import * as path from 'node:path';
import { writeGguf } from './gguf';
import { writeSafetensors } from './safetensors';
import { type WeightType } from './shapes';
import { type LlamaWeights } from './weights';

/** Part of every path: raise it when the writers or the random numbers change. */
const generation = 'v2';

/** Model files made on first use and kept: below .cache/bench-models. */
export class ModelStore {
  constructor(private readonly folder: string) {}

  /** A Hugging Face folder of `model`. */
  safetensors(model: LlamaWeights, type: 'f32' | 'bf16'): string {
    return this.once(`${generation}-${model.shape.name}-${type}`, (target) => {
      writeSafetensors(model, type, target);
    });
  }

  /** A GGUF file of the same weights. */
  gguf(model: LlamaWeights, type: WeightType): string {
    return this.once(`${generation}-${model.shape.name}-${type}.gguf`, (target) => {
      writeGguf(model, type, target);
    });
  }

  /** Writes beside the final place and renames, so that an interrupted run leaves nothing that looks whole. */
  private once(name: string, write: (target: string) => void): string {
    const target = path.join(this.folder, name);
    if (fs.existsSync(target)) return target;
    const unfinished = `${target}.unfinished`;
    fs.mkdirSync(this.folder, { recursive: true });
    fs.rmSync(unfinished, { recursive: true, force: true });
    process.stderr.write(`Writing ${path.relative(process.cwd(), target)}\n`);
    write(unfinished);
    fs.renameSync(unfinished, target);
    return target;
  }
}
