"""Products and the stock behind them: quoted, held, given back, shipped."""
