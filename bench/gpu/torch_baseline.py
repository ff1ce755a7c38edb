"""Decode speed of the Laneformer 2B shape in PyTorch with one CUDA graph a token: the baseline for gpu_bench.

Random bf16 weights, batch 1, static KV cache of 1024 positions at position 640, sliding windows as in the model,
delayed tensor parallelism over 8 lanes as batched products. Prints one line. Needs torch with CUDA.
"""

import statistics

import torch
import torch.nn.functional as F

D, LAYERS, HEADS, KV_HEADS, FFN, LANES, VOCABULARY, DELAY = 3072, 15, 32, 16, 12288, 8, 32000, 2
HEAD_DIM, CONTEXT, POSITION, WINDOW, WINDOW_LAYERS = D // HEADS, 1024, 640, 512, 10


def weight(*shape):
    return torch.empty(shape, dtype=torch.bfloat16, device="cuda").uniform_(-0.015, 0.015)


def rope(x, cos, sin):
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, b * cos + a * sin), -1).flatten(-2)


class Layer:
    def __init__(self):
        kv = KV_HEADS * HEAD_DIM // LANES
        self.qkv = weight(LANES, D // LANES + 2 * kv, D)
        self.out = weight(LANES, D, D // LANES)
        self.gate_up = weight(LANES, 2 * FFN // LANES, D)
        self.down = weight(LANES, D, FFN // LANES)
        self.norms = [torch.ones(D, dtype=torch.bfloat16, device="cuda") for _ in range(2)]
        self.keys = torch.randn(KV_HEADS, CONTEXT, HEAD_DIM, dtype=torch.bfloat16, device="cuda")
        self.values = torch.randn_like(self.keys)


def lane_product(matrix, x):
    return torch.bmm(matrix, x.unsqueeze(-1)).squeeze(-1)


def reduce(outputs, index, own):
    """Own output plus the other lanes' of DELAY layers ago; sqrt(lanes) times the own one before there are any."""
    if index < DELAY:
        return own * LANES**0.5
    past = outputs[index - DELAY]
    return own + past.sum(0, keepdim=True) - past


def step(token, embedding, layers, head, cos, sin):
    x = embedding[token].expand(LANES, D)
    attention_outputs, ffn_outputs = [], []
    q_rows, kv_rows = D // LANES, KV_HEADS * HEAD_DIM // LANES
    for index, layer in enumerate(layers):
        n = F.rms_norm(x, (D,), layer.norms[0])
        q, k, v = lane_product(layer.qkv, n).split((q_rows, kv_rows, kv_rows), -1)
        q = rope(q.reshape(HEADS, HEAD_DIM), cos, sin)
        layer.keys[:, POSITION] = rope(k.reshape(KV_HEADS, HEAD_DIM), cos, sin)
        layer.values[:, POSITION] = v.reshape(KV_HEADS, HEAD_DIM)
        begin = POSITION + 1 - WINDOW if index < WINDOW_LAYERS else 0
        keys, values = layer.keys[:, begin : POSITION + 1], layer.values[:, begin : POSITION + 1]
        attended = F.scaled_dot_product_attention(q.view(1, HEADS, 1, HEAD_DIM), keys[None], values[None], enable_gqa=True)
        o = lane_product(layer.out, attended.reshape(LANES, D // LANES))
        x = x + reduce(attention_outputs, index, o)
        attention_outputs.append(o)
        gate, up = lane_product(layer.gate_up, F.rms_norm(x, (D,), layer.norms[1])).chunk(2, -1)
        m = lane_product(layer.down, F.silu(gate) * up)
        x = x + reduce(ffn_outputs, index, m)
        ffn_outputs.append(m)
    hidden = F.rms_norm(x, (D,)).mean(0)
    token.copy_(F.linear(hidden, head).argmax(-1, keepdim=True))


def main():
    torch.manual_seed(0)
    with torch.no_grad():
        layers, embedding, head = [Layer() for _ in range(LAYERS)], weight(VOCABULARY, D), weight(VOCABULARY, D)
        angles = POSITION / 10000 ** (torch.arange(0, HEAD_DIM, 2, device="cuda") / HEAD_DIM)
        cos, sin = angles.cos().bfloat16(), angles.sin().bfloat16()
        token = torch.zeros(1, dtype=torch.long, device="cuda")
        best = None
        for compiled in (False, True):
            run = torch.compile(step, mode="max-autotune-no-cudagraphs") if compiled else step
            stream = torch.cuda.Stream()
            with torch.cuda.stream(stream):
                for _ in range(3):
                    run(token, embedding, layers, head, cos, sin)
            torch.cuda.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                run(token, embedding, layers, head, cos, sin)
            times = []
            for _ in range(5):
                begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
                begin.record()
                for _ in range(100):
                    graph.replay()
                end.record()
                torch.cuda.synchronize()
                times.append(begin.elapsed_time(end) / 100)
            milliseconds = statistics.median(times)
            name = "torch.compile" if compiled else "eager kernels"
            print(f"PyTorch {torch.__version__}, CUDA graph, {name}: {milliseconds:.3f} ms/token, {1e3 / milliseconds:.1f} tok/s", flush=True)
            best = milliseconds if best is None else min(best, milliseconds)
        print(f"best {1e3 / best:.1f} tok/s")


main()
