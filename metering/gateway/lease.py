"""What a request may use under limits on tokens: reserved at first, leased while it streams, settled at the end.

A whole answer cannot be stopped half-way, so all that it may use is held until it is over. A stream can: it holds its
prompt and a lease of output, and asks for the next lease while it still has some of the present one. What it holds is
counted like what it has used, so the limit is never passed, and what it does not use goes back.
"""

from __future__ import annotations

from collections.abc import Sequence

from metering.gateway.admission import Admission
from metering.gateway.body import Asked
from metering.gateway.limits import Limits
from metering.limiter import Bucket, Refused, Standing

#: Output tokens of the first lease, and of the shortest and the longest of the later ones.
FIRST, SHORTEST, LONGEST = 64, 16, 512
#: Where the limits have so many times a lease left, it may last so many seconds and be so long.
_PLENTY, _PLENTY_SECONDS, _PLENTY_LONGEST = 1000, 8, 4096
#: More output tokens than any answer has.
_NEVER = 2**62
#: What an answer that is not streamed may use where the client does not say.
UNSAID = 4096


def prompt_at_most(asked: Asked, context: int) -> int:
    """Tokens of the prompt, never too few: no more than bytes, and no more than the context takes."""
    most = context * asked.prompts
    if not asked.prompt_bound:
        return most or asked.size
    return min(asked.prompt_bound, most) if most else asked.prompt_bound


def output_cap(asked: Asked, context: int, buckets: Sequence[Bucket]) -> int | None:
    """How long an answer may be that is not streamed and whose client does not say, under a limit on tokens.

    None: as long as the engine likes; the context bounds it. Without a bound it could not be admitted exactly.
    """
    limits = [bucket.tokens for bucket in buckets if bucket.tokens is not None]
    if asked.stream or asked.max_output is not None or not limits:
        return None
    prompt = prompt_at_most(asked, context)
    if context and prompt + UNSAID >= context and context <= min(limits):
        return None
    return max(1, min(UNSAID, (min(limits) - prompt) // asked.choices))


def most_of(asked: Asked, context: int, cap: int | None) -> int:
    """Tokens to hold when a request is admitted."""
    prompt = prompt_at_most(asked, context)
    said = asked.max_output if asked.max_output is not None else cap
    if asked.stream:
        return prompt + (FIRST if said is None else min(FIRST, said * asked.choices))
    if said is None:
        return context if asked.choices == 1 else prompt + context * asked.choices
    whole = prompt + said * asked.choices
    return min(whole, context) if context and asked.choices == 1 and said else whole


class Lease:
    """The hold of one request."""

    def __init__(self, limits: Limits, admission: Admission, asked: Asked, *, hold: int, prompt: int) -> None:
        self._limits, self._admission = limits, admission
        self.is_needed = asked.stream and hold > 0
        """The request is a stream under a limit on tokens."""
        self._prompt, self._is_prompt_known = prompt, False
        self._covered = hold - prompt
        """Output tokens that are granted so far."""
        self._reported = 0
        """Tokens that the limiter knows of as used."""
        self._size = FIRST
        self._most = asked.max_output * asked.choices if asked.max_output is not None else None
        self._is_extending = self._is_refused = False
        self._is_held = hold > 0
        self.calm_until = 0 if self.is_needed else _NEVER
        """Output tokens up to which there is nothing to decide: the fast way for most events of a stream."""

    @property
    def standings(self) -> tuple[Standing, ...]:
        return self._admission.standings

    def learn_prompt(self, tokens: int) -> None:
        """The engine has counted the prompt, which was bounded so far: the difference goes back."""
        if self.is_needed and not self._is_prompt_known:
            self._is_prompt_known = True
            self._prompt = tokens
            self._limits.adjust(self._admission, hold=tokens + self._covered)
            self._calm()

    def covers(self, output: int) -> bool:
        return not self.is_needed or output <= self._covered

    def granted(self, output: int) -> int:
        """Of so many output tokens, those that were granted."""
        return min(output, self._covered) if self.is_needed else output

    def wants_more(self, output: int) -> bool:
        """Whether it is time to extend: half of the lease is used, and the answer may go on.

        After a refusal, only when the lease is used up: until then there may be room again.
        """
        if not self.is_needed or self._is_extending:
            return False
        if output > self._covered:
            return True
        if self._is_refused or (self._covered - output) * 2 > self._size:
            return False
        return self._most is None or self._covered < self._most

    async def extend(self, output: int) -> Refused | None:
        """The next lease, when `output` tokens are used; None when it was granted.

        While the limiter thinks, the stream may use up the present lease, so the next one is at least that long. Where
        the limit has no room for all of it, it takes what there is.
        """
        self._is_extending = True
        try:
            least = max(self._covered - output, output - self._covered, 0)
            size = least + self._size
            if self._most is not None:
                size = max(least, min(size, self._most - output), 1)
            refused = await self._extend(output, size)
            if refused is not None and refused.what == "tokens":
                room = size + refused.limit - refused.used - refused.asked + self._admission.hold
                if least < room < size:
                    refused = await self._extend(output, room)
            self._is_refused = refused is not None
            return refused
        finally:
            self._is_extending = False
            self._calm()

    async def _extend(self, output: int, size: int) -> Refused | None:
        total = output + (self._prompt if self._is_prompt_known else 0)
        held = size + (0 if self._is_prompt_known else self._prompt)
        refused = await self._limits.extend(self._admission, used=total - self._reported, hold=held)
        if refused is None:
            self._reported, self._covered = total, output + size
        return refused

    def pace(self, tokens_per_second: float) -> None:
        """Leases last about a second: short enough to waste little, long enough not to ask for every token.

        They last longer while the limits have so much left that this could not matter.
        """
        shortly = min(LONGEST, max(SHORTEST, tokens_per_second))
        long = min(_PLENTY_LONGEST, tokens_per_second * _PLENTY_SECONDS, self._admission.room // _PLENTY)
        self._size = int(max(shortly, long))

    def _calm(self) -> None:
        if not self._is_prompt_known or self._is_extending:
            return
        is_enough = self._is_refused or (self._most is not None and self._covered >= self._most)
        self.calm_until = self._covered if is_enough else self._covered - self._size // 2 - 1

    def settle(self, total: int) -> None:
        """The end: so many tokens, input and output, were really used."""
        if self._is_held:
            self._limits.settle(self._admission, used=max(0, total - self._reported))
