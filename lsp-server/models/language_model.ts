import type { Engine } from '../engine/contract';
import { ChatTemplate } from './chat_template';
import { findFillTemplate, type FillTemplate } from './fill_in_the_middle';
import type { ModelFolder } from './model_folder';
import { Tokenizer } from './tokenizer';

/** A model folder's text side: how to talk to the model. */
export interface ModelText {
  tokenizer: Tokenizer;
  /** How to fill in the middle; undefined for a model that can only go on after a prefix. */
  fill?: FillTemplate;
  /** How to chat; undefined for a model that cannot. */
  chat?: ChatTemplate;
}

/** A loaded model: text side and engine. */
export interface LanguageModel extends ModelText {
  name: string;
  engine: Engine;
  /** Tokens that end any answer: the model's own and every control token. */
  stopTokens: readonly number[];
}

/** Reads the tokenizer and the templates of a folder. Throws ModelFolderError. */
export function readModelText(folder: ModelFolder): ModelText {
  const tokenizer = Tokenizer.fromFolder(folder);
  const modelType = String(folder.config['model_type']);
  const fill = findFillTemplate(tokenizer, modelType);
  const chat = ChatTemplate.fromFolder(folder, tokenizer);
  return { tokenizer, ...(fill && { fill }), ...(chat && { chat }) };
}

/** Joins a folder's text side and the engine that runs its weights. */
export function joinModel(folder: ModelFolder, text: ModelText, engine: Engine): LanguageModel {
  const stopTokens = [...new Set([...engine.model.endTokens, ...text.tokenizer.specialTokens])];
  return { ...text, name: folder.name, engine, stopTokens };
}
