"""Nets and tasks of generators: each file has the net and the task of one."""
