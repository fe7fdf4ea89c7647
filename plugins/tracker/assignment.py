"""Which of some things belongs to which of others: pairs of the least total cost."""

import numpy as np
from numpy.typing import NDArray

Costs = NDArray[np.float64]


def assign(costs: Costs, limit: float) -> list[tuple[int, int]]:
    """Pair rows with columns so that the total is least, where a row left alone costs `limit`; give (row, column), by row.

    A pair that costs more than `limit` is never made.
    """
    allowed = costs <= limit
    by_row, by_column = allowed.sum(1), allowed.sum(0)
    alone = allowed & (by_row == 1)[:, None] & (by_column == 1)[None, :]  # nobody else wants either of the two
    pairs = [(int(row), int(column)) for row, column in zip(*np.nonzero(alone), strict=True)]
    rows = np.nonzero((by_row > 0) & ~alone.any(1))[0]
    columns = np.nonzero((by_column > 0) & ~alone.any(0))[0]
    if rows.size and columns.size:
        contested = np.where(allowed, costs, 2 * limit + 1.0)[np.ix_(rows, columns)]
        whole = np.hstack((contested, np.full((rows.size, rows.size), limit)))  # a column to be left alone in, for each row
        for row, column in enumerate(_cheapest(whole)):
            if column < columns.size and contested[row, column] <= limit:
                pairs.append((int(rows[row]), int(columns[column])))
    return sorted(pairs)


def _cheapest(costs: Costs) -> list[int]:
    """Give the column of each row in the cheapest full assignment of rows to columns; there are no more rows than columns.

    The Hungarian method (Kuhn, 1955) with shortest augmenting paths and potentials (Jonker and Volgenant, 1987).
    """
    rows, columns = costs.shape
    of_row, of_column = np.zeros(rows + 1), np.zeros(columns + 1)  # potentials; place 0 stands for none
    row_in = np.zeros(columns + 1, np.int64)  # which row a column has, counted from 1
    for row in range(1, rows + 1):
        row_in[0], column = row, 0
        least, came_from = np.full(columns + 1, np.inf), np.zeros(columns + 1, np.int64)
        used = np.zeros(columns + 1, bool)
        while True:
            used[column] = True
            here = row_in[column]
            reduced = np.append(np.inf, costs[here - 1] - of_row[here] - of_column[1:])
            better = ~used & (reduced < least)
            least[better], came_from[better] = reduced[better], column
            column = int(np.where(used, np.inf, least).argmin())
            step = least[column]
            of_row[row_in[used]] += step
            of_column[used] -= step
            least[~used] -= step
            if not row_in[column]:
                break
        while column:
            row_in[column] = row_in[came_from[column]]
            column = int(came_from[column])
    found = {int(row): column - 1 for column, row in enumerate(row_in) if column and row}
    return [found[row] for row in range(1, rows + 1)]
