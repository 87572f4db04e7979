/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The taken ports of a domain as a tree of bits, three levels of words: a leaf's bits, its summary, and the summary
 * of the leaves.  Leaves are made when a port of theirs is first taken and stay until the domain is gone: a
 * domain that once had many ports may have them again.
 */
#include <xen/errno.h>
#include <xen/event-ports.h>
#include <xen/lib.h>
#include <xen/xmalloc.h>

#define WORDS_FOR(bits) (((bits) + BITS_PER_LONG - 1) / BITS_PER_LONG)

/* The lowest clear bit of words[] that is not below from; bits if there is none. */
static unsigned int next_clear(const unsigned long *words, unsigned int bits, unsigned int from)
{
    unsigned int word = from / BITS_PER_LONG;
    unsigned long clear;

    if ( from >= bits )
        return bits;

    clear = ~words[word] & (~0UL << (from % BITS_PER_LONG));
    while ( !clear )
    {
        if ( ++word == WORDS_FOR(bits) )
            return bits;
        clear = ~words[word];
    }

    /* No bit behind the last one is ever set, so that this is no more than bits. */
    return word * BITS_PER_LONG + __builtin_ctzl(clear);
}

/* The same inside a leaf, by its summary. */
static unsigned int leaf_next_free(const struct port_leaf *leaf, unsigned int from)
{
    unsigned int port = next_clear(leaf->taken, (from / BITS_PER_LONG + 1) * BITS_PER_LONG, from);
    unsigned int word;

    if ( port / BITS_PER_LONG == from / BITS_PER_LONG )
        return port;

    word = next_clear(&leaf->full, PORT_LEAF_WORDS, from / BITS_PER_LONG + 1);
    if ( word == PORT_LEAF_WORDS )
        return PORT_LEAF_PORTS;

    return word * BITS_PER_LONG + __builtin_ctzl(~leaf->taken[word]);
}

int port_set_init(struct port_set *set, unsigned int limit)
{
    ASSERT(limit);
    set->limit = limit;
    set->nr_leaves = (limit - 1) / PORT_LEAF_PORTS + 1;
    set->full = xzalloc_array(unsigned long, WORDS_FOR(set->nr_leaves));
    set->leaves = xzalloc_array(struct port_leaf *, set->nr_leaves);

    return set->full && set->leaves ? 0 : -ENOMEM;
}

void port_set_destroy(struct port_set *set)
{
    unsigned int i;

    for ( i = 0; set->leaves && i < set->nr_leaves; i++ )
        xfree(set->leaves[i]);
    xfree(set->leaves);
    xfree(set->full);
    set->leaves = NULL;
    set->full = NULL;
    set->limit = 0;
}

int port_set_take(struct port_set *set, unsigned int port)
{
    unsigned int number = port / PORT_LEAF_PORTS, word = port % PORT_LEAF_PORTS / BITS_PER_LONG;
    struct port_leaf *leaf;

    if ( port >= set->limit )
        return -ENOSPC;

    leaf = set->leaves[number];
    if ( !leaf )
    {
        leaf = xzalloc(struct port_leaf);
        if ( !leaf )
            return -ENOMEM;
        set->leaves[number] = leaf;
    }

    leaf->taken[word] |= 1UL << (port % BITS_PER_LONG);
    if ( !~leaf->taken[word] )
        leaf->full |= 1UL << word;
    if ( !~leaf->full )
        set->full[number / BITS_PER_LONG] |= 1UL << (number % BITS_PER_LONG);

    return 0;
}

void port_set_give(struct port_set *set, unsigned int port)
{
    unsigned int number = port / PORT_LEAF_PORTS, word = port % PORT_LEAF_PORTS / BITS_PER_LONG;
    struct port_leaf *leaf = port < set->limit ? set->leaves[number] : NULL;

    if ( !leaf )
        return;

    leaf->taken[word] &= ~(1UL << (port % BITS_PER_LONG));
    leaf->full &= ~(1UL << word);
    set->full[number / BITS_PER_LONG] &= ~(1UL << (number % BITS_PER_LONG));
}

unsigned int port_set_next_free(const struct port_set *set, unsigned int from)
{
    unsigned int number = from / PORT_LEAF_PORTS, port;

    if ( from >= set->limit )
        return set->limit;

    if ( set->leaves[number] )
    {
        port = leaf_next_free(set->leaves[number], from % PORT_LEAF_PORTS);
        if ( port == PORT_LEAF_PORTS )
        {
            number = next_clear(set->full, set->nr_leaves, number + 1);
            if ( number == set->nr_leaves )
                return set->limit;
            port = set->leaves[number] ? leaf_next_free(set->leaves[number], 0) : 0;
        }
        from = number * PORT_LEAF_PORTS + port;
    }

    return from;
}
