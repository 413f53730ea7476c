-- Generated clients in the raw form of this book: `loans`, and as many `applications` as a quarter of them.
-- uniform(row, text) and normal(row, text) are given: the same row and text, the same number.
CREATE MACRO amount(x) AS CAST(round(greatest(x, 0)) AS BIGINT);

-- -2 no use, -1 paid in full, 0 revolving, 1 and more months of delay: late clients tend to stay late.
CREATE MACRO status(i, risk, month) AS
    CASE WHEN 0.9 * risk + 0.6 * normal(i, 'status ' || month) > 1.9 THEN 3
        WHEN 0.9 * risk + 0.6 * normal(i, 'status ' || month) > 1.3 THEN 2
        WHEN 0.9 * risk + 0.6 * normal(i, 'status ' || month) > 1.1 THEN 1
        WHEN uniform(i, 'habit') < 0.55 THEN 0 WHEN uniform(i, 'habit') < 0.85 THEN -1 ELSE -2 END;

CREATE TABLE clients AS
SELECT i, normal(i, 'risk') AS risk, 10000 * (1 + floor(45 * uniform(i, 'limit') ** 2)) AS granted
FROM range(CAST(1.25 * getvariable('rows') AS BIGINT)) AS clients(i);

CREATE MACRO used(i, risk, month) AS
    least(1.1, greatest(-0.02, 0.35 + 0.15 * risk + 0.3 * normal(i, 'used') + 0.05 * normal(i, 'used ' || month)));
CREATE MACRO paid(i, risk, month) AS
    CASE WHEN status(i, risk, month) >= 2 THEN 0 WHEN status(i, risk, month) = -1 THEN 1
        ELSE 0.03 + 0.1 * uniform(i, 'paid ' || month) END;

CREATE TABLE everyone AS
SELECT i AS "ID", CAST(granted AS BIGINT) AS "LIMIT_BAL", 1 + CAST(uniform(i, 'sex') < 0.6 AS INTEGER) AS "SEX",
    CASE WHEN uniform(i, 'school') < 0.35 THEN 1 WHEN uniform(i, 'school') < 0.82 THEN 2
        WHEN uniform(i, 'school') < 0.98 THEN 3 WHEN uniform(i, 'school') < 0.99 THEN 5 ELSE 0 END AS "EDUCATION",
    CASE WHEN uniform(i, 'home') < 0.45 THEN 1 WHEN uniform(i, 'home') < 0.99 THEN 2 ELSE 0 END AS "MARRIAGE",
    21 + CAST(floor(45 * uniform(i, 'age')) AS INTEGER) AS "AGE",
    status(i, risk, 1) AS "PAY_0", status(i, risk, 2) AS "PAY_2", status(i, risk, 3) AS "PAY_3",
    status(i, risk, 4) AS "PAY_4", status(i, risk, 5) AS "PAY_5", status(i, risk, 6) AS "PAY_6",
    CAST(granted * used(i, risk, 1) AS BIGINT) AS "BILL_AMT1", CAST(granted * used(i, risk, 2) AS BIGINT) AS "BILL_AMT2",
    CAST(granted * used(i, risk, 3) AS BIGINT) AS "BILL_AMT3", CAST(granted * used(i, risk, 4) AS BIGINT) AS "BILL_AMT4",
    CAST(granted * used(i, risk, 5) AS BIGINT) AS "BILL_AMT5", CAST(granted * used(i, risk, 6) AS BIGINT) AS "BILL_AMT6",
    amount(granted * used(i, risk, 2) * paid(i, risk, 1)) AS "PAY_AMT1",
    amount(granted * used(i, risk, 3) * paid(i, risk, 2)) AS "PAY_AMT2",
    amount(granted * used(i, risk, 4) * paid(i, risk, 3)) AS "PAY_AMT3",
    amount(granted * used(i, risk, 5) * paid(i, risk, 4)) AS "PAY_AMT4",
    amount(granted * used(i, risk, 6) * paid(i, risk, 5)) AS "PAY_AMT5",
    amount(granted * used(i, risk, 6) * paid(i, risk, 6)) AS "PAY_AMT6",
    CAST(uniform(i, 'default') < 1 / (1 + exp(1.5 - 1.1 * risk + 0.000001 * granted)) AS INTEGER)
        AS "default.payment.next.month"
FROM clients;

CREATE TABLE loans AS FROM everyone WHERE "ID" < getvariable('rows');
CREATE TABLE applications AS
SELECT * EXCLUDE "default.payment.next.month" FROM everyone WHERE "ID" >= getvariable('rows');
