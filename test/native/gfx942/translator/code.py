"""What the emitter needs to know of one translated instruction."""

from dataclasses import dataclass, field


@dataclass
class Code:
    """`touches`: registers (pending-set numbers) that must not be targets of a load in flight."""

    text: str
    touches: set = field(default_factory=set)
    writes_exec: bool = False
    starts_block: bool = False  # a preemption point before it
    ends_block: bool = False
    issues_load: bool = False
    waits: bool = False
    target: int = -1  # branch target address


def touched(operands):
    return {register for operand in operands for register in operand.registers}
