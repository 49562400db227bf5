"""Renderings of finished results: one document, many forms; nothing here computes a statistic."""
