import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import { ChatTemplate } from '../../lsp-server/models/chat_template';
import { findFillTemplate } from '../../lsp-server/models/fill_in_the_middle';
import { readModelText } from '../../lsp-server/models/language_model';
import { ModelFolderError, openModelFolder, type ModelFolder } from '../../lsp-server/models/model_folder';
import { Tokenizer } from '../../lsp-server/models/tokenizer';
import { nanoFolder, nanoPath } from './nano';

const files: Record<string, string | undefined> = {
  'config.json': '{"model_type": "llama", "vocab_size": 16384}',
  'tokenizer.json': '{}',
  'tokenizer_config.json': '{"chat_template": "x"}',
  'model.safetensors': 'weights',
};

const broken: [what: string, changes: typeof files, code: ModelFolderError['code'], message: RegExp][] = [
  ['no config', { 'config.json': undefined }, 'missingFile', /has no config\.json/],
  ['config is not JSON', { 'config.json': '{' }, 'badFile', /config\.json is not valid JSON/],
  ['config is a list', { 'config.json': '[]' }, 'badFile', /config\.json is not a JSON object/],
  ['unknown family', { 'config.json': '{"model_type": "gpt2"}' }, 'unknownFamily', /says "gpt2".*laneformer_tp/],
  ['no family', { 'config.json': '{}' }, 'unknownFamily', /says no model_type/],
  ['no tokenizer', { 'tokenizer.json': undefined }, 'missingFile', /has no tokenizer\.json/],
  ['no weights', { 'model.safetensors': undefined }, 'missingFile', /no model\.safetensors/],
  ['empty weights', { 'model.safetensors': '' }, 'missingFile', /no model\.safetensors/],
  [
    'index without a map',
    { 'model.safetensors': undefined, 'model.safetensors.index.json': '{}' },
    'badFile',
    /has no weight_map/,
  ],
  [
    'a shard is missing',
    {
      'model.safetensors': undefined,
      'model.safetensors.index.json': '{"weight_map": {"a": "one", "b": "two"}}',
      one: 'x',
    },
    'missingFile',
    /names two, which is missing/,
  ],
];

suite('model folder', () => {
  let parent: string;
  before(() => {
    parent = mkdtempSync(path.join(os.tmpdir(), 'monokernel-folder-'));
  });
  after(() => {
    rmSync(parent, { recursive: true });
  });

  function folderOf(name: string, contents: typeof files): string {
    const folder = path.join(parent, name);
    mkdirSync(folder);
    for (const [file, text] of Object.entries(contents)) {
      if (text !== undefined) writeFileSync(path.join(folder, file), text);
    }
    return folder;
  }

  for (const [what, changes, code, message] of broken) {
    test(`is refused: ${what}`, async () => {
      const folder = folderOf(what.replaceAll(' ', '-'), { ...files, ...changes });
      await assert.rejects(openModelFolder(folder, nanoPath), (error: unknown) => {
        assert.ok(error instanceof ModelFolderError);
        assert.match(error.message, message);
        assert.ok(error.message.includes(folder), error.message);
        assert.equal(error.code, code);
        return true;
      });
    });
  }

  test('is refused: not there, or a file', async () => {
    await assert.rejects(openModelFolder(path.join(parent, 'nothing'), nanoPath), { code: 'notFound' });
    await assert.rejects(openModelFolder(path.join(nanoPath, 'config.json'), nanoPath), { code: 'notFolder' });
  });

  test('is the default one for an empty path, and may be reached through ~ and links', async () => {
    assert.equal((await openModelFolder('  ', nanoPath)).path, nanoPath);
    const link = path.join(parent, 'link');
    symlinkSync(nanoPath, link);
    assert.equal((await openModelFolder(link, '/nowhere')).name, 'link');
    const home = path.relative(os.homedir(), nanoPath);
    assert.equal((await openModelFolder(`~/${home}`, '/nowhere')).path, nanoPath);
  });

  test('takes a chat template from any place where models have it', async () => {
    const inList = { ...files, 'tokenizer_config.json': '{"chat_template": [{"name": "default", "template": "y"}]}' };
    const inFile = { ...files, 'tokenizer_config.json': undefined, 'chat_template.jinja': 'z' };
    const templates = [folderOf('text', files), folderOf('list', inList), folderOf('file', inFile)].map(
      async (folder) => (await openModelFolder(folder, nanoPath)).chatTemplate,
    );
    assert.deepEqual(await Promise.all(templates), ['x', 'y', 'z']);
  });

  test('a tokenizer that is broken or of another model is refused', async () => {
    const folder = await nanoFolder();
    for (const tokenizer of [
      {},
      { ...folder.tokenizer, decoder: { type: 'Nonsense' } },
      { ...folder.tokenizer, model: {} },
    ]) {
      assert.throws(() => readModelText({ ...folder, tokenizer }), {
        code: 'badFile',
        message: /tokenizer\.json cannot be used/,
      });
    }
    const config = { ...folder.config, vocab_size: 16383 };
    assert.throws(() => readModelText({ ...folder, config }), {
      code: 'vocabularyMismatch',
      message: /ids up to 16383/,
    });
  });
});

suite('templates', () => {
  let folder: ModelFolder;
  before(async () => {
    folder = await nanoFolder();
  });

  /** The nano tokenizer with other control tokens. */
  function tokenizerWith(names: readonly string[]): Tokenizer {
    const added = names.map((content, index) => ({ id: 16384 + index, content, special: true, normalized: false }));
    const config = { ...folder.config, vocab_size: 20000 };
    const vocab = Object.entries((folder.tokenizer['model'] as { vocab: Record<string, number> }).vocab);
    const plain = Object.fromEntries(vocab.filter(([token]) => !token.startsWith('<|')));
    const model = { ...(folder.tokenizer['model'] as object), vocab: plain };
    return Tokenizer.fromFolder({ ...folder, config, tokenizer: { ...folder.tokenizer, model, added_tokens: added } });
  }

  test('fill-in-the-middle is found in each family, and in no other model', () => {
    const families = [
      [['<|fim_prefix|>', '<|fim_suffix|>', '<|fim_middle|>', '<|file_sep|>'], 'prefix-suffix-middle'],
      [['<fim_prefix>', '<fim_suffix>', '<fim_middle>', '<file_sep>'], 'suffix-prefix-middle'],
      [['<fim-prefix>', '<fim-suffix>', '<fim-middle>'], 'suffix-prefix-middle'],
      [['<|fim▁begin|>', '<|fim▁hole|>', '<|fim▁end|>'], 'prefix-suffix-middle'],
      [['▁<PRE>', '▁<SUF>', '▁<MID>'], 'prefix-suffix-middle'],
    ] as const;
    for (const [names, order] of families) {
      const file = names.length === 4 ? { file: 16387 } : {};
      assert.deepEqual(findFillTemplate(tokenizerWith(names), 'qwen2'), {
        tokens: { prefix: 16384, suffix: 16385, middle: 16386, ...file },
        order,
      });
    }
    assert.equal(findFillTemplate(tokenizerWith(['<|fim_prefix|>', '<|fim_suffix|>']), 'llama'), undefined);
  });

  test('the nano model was trained for both orders, and gets the one that typing leaves valid', () => {
    const template = findFillTemplate(Tokenizer.fromFolder(folder), String(folder.config['model_type']));
    assert.equal(template?.order, 'suffix-prefix-middle');
  });

  test("a chat is the model's own template around the message", () => {
    const tokenizer = Tokenizer.fromFolder(folder);
    const chat = ChatTemplate.fromFolder(folder, tokenizer);
    const message = tokenizer.encode('hi');
    const whole = tokenizer.encodeTemplate('<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n');
    assert.deepEqual(chat?.prompt(message), whole);
    assert.equal(chat.overhead, whole.length - message.length);
  });

  test('a template may trim, loop, and use the start token; one that drops the message is refused', () => {
    const tokenizer = Tokenizer.fromFolder(folder);
    const chatTemplate =
      "{{ bos_token }}{% for m in messages if m.role == 'user' %}[{{ m.content | trim }}]{% endfor %}";
    const tokenizerConfig = { bos_token: { content: '<|im_start|>' } };
    const chat = ChatTemplate.fromFolder({ ...folder, tokenizerConfig, chatTemplate }, tokenizer);
    assert.deepEqual(chat?.prompt([1]), [...tokenizer.encodeTemplate('<|im_start|>['), 1, ...tokenizer.encode(']')]);
    assert.throws(() => ChatTemplate.fromFolder({ ...folder, chatTemplate: 'nothing' }, tokenizer), /does not show/);
  });
});
