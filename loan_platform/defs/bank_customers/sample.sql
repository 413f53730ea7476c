-- Generated customers in the raw form of this book: `loans`, and as many `applications` as a quarter of them.
-- uniform(row, text) and normal(row, text) are given: the same row and text, the same number.
CREATE TABLE customers AS
SELECT i, CAST(uniform(i, 'work') < 0.7 AS INTEGER) AS employed, greatest(0, 835 + 484 * normal(i, 'balance')) AS owed,
    greatest(770, CASE WHEN uniform(i, 'work') < 0.7 THEN 40000 + 10000 * normal(i, 'salary')
        ELSE 18000 + 4500 * normal(i, 'salary') END) AS earned
FROM range(CAST(1.25 * getvariable('rows') AS BIGINT)) AS customers(i);

CREATE TABLE everyone AS
SELECT i + 1 AS "Index", employed AS "Employed", round(12 * owed, 2) AS "Bank Balance",
    round(12 * earned, 2) AS "Annual Salary",
    CAST(uniform(i, 'default') < 1 / (1 + exp(11.0 - 0.0057 * owed - 0.4 * (employed))) AS INTEGER) AS "Defaulted?"
FROM customers;

CREATE TABLE loans AS FROM everyone WHERE "Index" <= getvariable('rows');
CREATE TABLE applications AS SELECT * EXCLUDE "Defaulted?" FROM everyone WHERE "Index" > getvariable('rows');
