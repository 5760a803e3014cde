"""Pure arithmetic over headers: grouping, counting, the tree, the formula."""
