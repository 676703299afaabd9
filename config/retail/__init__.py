"""A real shop's sales history (Online Retail, Chen et al. 2012, doi:10.1057/dbm.2012.17): read, loaded, replayed."""
