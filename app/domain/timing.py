"""How long things took: a latency histogram that merges across segments."""

from dataclasses import dataclass, field

_SUB_BITS = 3  # eight sub-buckets to each power of two: a percentile is right to within an eighth
_SUB = 1 << _SUB_BITS


def bucket_of(microseconds: int) -> int:
    """Index of the bucket a duration falls in: its power of two, then one of eight parts of it."""
    if microseconds < _SUB:
        return max(0, microseconds)
    shift = microseconds.bit_length() - 1 - _SUB_BITS
    return (shift << _SUB_BITS) + (microseconds >> shift)


def bucket_bounds(bucket: int) -> tuple[int, int]:
    """Half-open range `[low, high)` in microseconds that a bucket stands for."""
    if bucket < 2 * _SUB:
        return bucket, bucket + 1
    shift = (bucket >> _SUB_BITS) - 1
    low = (_SUB + (bucket & (_SUB - 1))) << shift
    return low, low + (1 << shift)


@dataclass(slots=True)
class Histogram:
    """Counts of durations by bucket, with their exact number, sum and maximum (microseconds)."""

    buckets: dict[int, int] = field(default_factory=dict)
    count: int = 0
    total_us: int = 0
    max_us: int = 0

    def add(self, microseconds: int) -> None:
        """Count one duration."""
        shift = microseconds.bit_length() - 1 - _SUB_BITS  # as in bucket_of, without the call: this runs for every frame
        bucket = (shift << _SUB_BITS) + (microseconds >> shift) if shift > 0 else max(0, microseconds)
        buckets = self.buckets
        buckets[bucket] = buckets.get(bucket, 0) + 1
        self.count += 1
        self.total_us += microseconds
        if microseconds > self.max_us:  # noqa: PLR1730  # max() takes three times as long
            self.max_us = microseconds

    def merge(self, other: "Histogram") -> None:
        """Take in what another histogram counted; order and grouping do not matter."""
        for bucket, count in other.buckets.items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count
        self.count += other.count
        self.total_us += other.total_us
        self.max_us = max(self.max_us, other.max_us)

    def since(self, earlier: "Histogram") -> "Histogram":
        """What was counted after an earlier copy of this histogram was taken (its maximum is the whole one's)."""
        before = earlier.buckets
        if not before:
            return Histogram(self.buckets.copy(), self.count, self.total_us, self.max_us)
        buckets = {bucket: left for bucket, count in self.buckets.items() if (left := count - before.get(bucket, 0))}
        return Histogram(buckets, self.count - earlier.count, self.total_us - earlier.total_us, self.max_us)

    def count_below(self, microseconds: int) -> int:
        """Number of counted durations shorter than this; exact where it is a bucket's bound, such as a power of two."""
        return sum(count for bucket, count in self.buckets.items() if bucket_bounds(bucket)[1] <= microseconds)

    def percentile_ms(self, percent: float) -> float:
        """Duration in milliseconds below which `percent` of the counted ones lie (0 when nothing was counted)."""
        if not self.count:
            return 0.0
        wanted, seen = self.count * percent / 100, 0
        for bucket in sorted(self.buckets):
            here = self.buckets[bucket]
            if seen + here >= wanted:
                low, high = bucket_bounds(bucket)
                value = low + (high - low) * (wanted - seen) / here if high - low > 1 else low
                return round(min(value, self.max_us) / 1000, 3)
            seen += here
        return round(self.max_us / 1000, 3)

    @property
    def total_ms(self) -> float:
        """Sum of the counted durations, in milliseconds."""
        return round(self.total_us / 1000, 3)

    @property
    def max_ms(self) -> float:
        """Longest counted duration, in milliseconds."""
        return round(self.max_us / 1000, 3)
